#!/bin/sh
# List what an installation of infra/main.bicep made in Azure, ask, and only then remove it, in the order that Azure allows.
# The script removes nothing without an answer from a terminal, and nothing if one of its looks failed.
# It ends with 0 if it removed everything that it listed, 1 if the installation stays, and 2 if it cannot start.
set -eu

usage() {
  cat <<'END'
usage: infra/uninstall.sh -g GROUP [-s SUBSCRIPTION]... [-m SCOPE]... [-f | -q]

  -g  the resource group of the installation, in the subscription of `az account show`
  -s  the id of one more subscription: Certroll served it earlier, or it holds a vault
  -m  the id of a private link scope of Azure Monitor with an entry of the installation
  -f  afterwards ask for each certificate that Certroll left in your apps, one by one
  -q  quick: do not look for these certificates, which takes about a second for each app

take  removed if you say so     keep  stays     DO   do this first     ASK   could not look: find out
END
}

group='' extra='' scopes='' fleet=list api=2024-04-01 # of Microsoft.Web, the newest that US Government knows
while getopts g:s:m:fqh option; do
  case $option in
  g) group=$OPTARG ;;
  s) extra="$extra $OPTARG" ;;
  m) scopes="$scopes $OPTARG" ;;
  f) fleet=ask ;;
  q) fleet=off ;;
  h) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
  esac
done
if [ -z "$group" ] || [ $# -ge "$OPTIND" ]; then
  usage >&2
  exit 2
fi

# The journal is that of the installation, whatever account a variable of the shell names.
unset AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_ACCOUNT AZURE_STORAGE_KEY AZURE_STORAGE_SAS_TOKEN AZURE_STORAGE_AUTH_MODE

tab=$(printf '\t')
line='
'
lower() { tr '[:upper:]' '[:lower:]'; }
part() { echo "$1" | cut -d / -f "$2"; }
lines() { printf '%s\n' "$1" | sed '/^$/d'; }

# A command that fails is never an answer: each caller says what the person has to look up.
look() { az "$@" --only-show-errors 2>/dev/null </dev/null; }

# What is found: `notes` are lines to print, and each `take_…` has one line for each thing, its words separated by tabs.
keep() { notes="${notes}keep  $1$line"; }
todo() { notes="${notes}DO    $1$line" && left=1; }
ask() { notes="${notes}ASK   $1$line" && left=1; }

command -v az >/dev/null || { echo "There is no az on the path. Install the Azure CLI 2.90 or newer." >&2 && exit 2; }
own=$(look account show --query id --output tsv) || own=''
[ -n "$own" ] || { echo "az is not signed in. Run: az login" >&2 && exit 2; }

# ------------------------------------------------------------------------------------------------------ the installation

# The app's settings name its identity, storage, vaults and subscriptions: nothing is guessed from a name.
installation() {
  query='[].[type, id]'
  if ! group_id=$(look group show --name "$group" --subscription "$own" --query id --output tsv) || [ -z "$group_id" ] ||
    ! members=$(look resource list --resource-group "$group" --subscription "$own" --query "$query" --output tsv); then
    ask "Group $group could not be read in subscription $own. Check the name, and az account show."
    return 1
  fi
  group_id=$(echo "$group_id" | lower)
  app=$(of_type microsoft.web/sites)
  if [ "$(lines "$app" | grep -c .)" -ne 1 ]; then
    todo "Group $group has not one app but $(lines "$app" | grep -c .). The script removes a group only if its one app is Certroll."
    return 1
  fi
  names='CERTROLL_MODE, CERTROLL_VAULTS, CERTROLL_SUBSCRIPTIONS, AZURE_CLIENT_ID'
  query="properties.[$names, AzureWebJobsStorage__accountName || AzureWebJobsStorage__tableServiceUri]"
  url="$app/config/appsettings/list?api-version=$api"
  if ! settings=$(look rest --method post --url "$url" --query "$query" --output tsv) ||
    [ "$(printf '%s\n' "$settings" | wc -l)" -ne 5 ]; then
    ask "The settings of app $(part "$app" 9) could not be read. You need Website Contributor on the app."
    return 1
  fi
  mode=$(setting 1 | lower) vaults=$(setting 2 | tr ',' ' ' | lower) served=$(setting 3 | tr ',' ' ' | lower)
  client=$(setting 4) account=$(setting 5 | sed 's|^https://||; s|\..*||')
  if [ "$vaults" = none ] || [ "$client" = None ] || [ "$account" = None ]; then
    todo "App $(part "$app" 9) has no setting CERTROLL_VAULTS, AZURE_CLIENT_ID or AzureWebJobsStorage__…: the templates did not make it."
    return 1
  fi
  query="[?clientId=='$client'].principalId"
  if ! principal=$(look identity list --resource-group "$group" --subscription "$own" --query "$query" --output tsv) ||
    [ -z "$principal" ]; then
    ask "The identity with client id $client could not be read in group $group, and so not its rights."
    return 1
  fi
  subscriptions=$(echo "$own $served $extra" | lower | tr ' ' '\n' | grep -v -e '^none$' -e '^$' | sort -u)
  case $served$extra in
  '' | none) ask "The app serves every subscription that it sees. Name each of them with -s." ;;
  esac
}
setting() { printf '%s\n' "$settings" | sed -n "$1p"; }
of_type() { printf '%s\n' "$members" | awk -F '\t' -v kind="$1" 'tolower($1) == kind { print $2 }'; }

# The templates make these types in the group, and Azure adds network interfaces and the detection of failures.
made=' managedidentity/userassignedidentities storage/storageaccounts operationalinsights/workspaces insights/components
  insights/scheduledqueryrules insights/metricalerts insights/workbooks web/serverfarms web/sites
  network/privateendpoints network/networkinterfaces alertsmanagement/smartdetectoralertrules insights/actiongroups '
strangers() {
  while IFS=$tab read -r kind id; do
    [ -n "$kind" ] || continue
    kind=$(echo "$kind" | lower)
    case " $(echo "$made" | tr '\n' ' ') " in
    *" ${kind#microsoft.} "*) ;;
    *) stranger "$id" && continue ;;
    esac
    case "$kind:$(part "$id" 9 | lower)" in
    microsoft.insights/actiongroups:'application insights smart detection') ;;
    microsoft.insights/actiongroups:*) stranger "$id" ;;
    microsoft.storage/storageaccounts:"$(echo "$account" | lower)") ;;
    microsoft.storage/storageaccounts:*) stranger "$id" ;;
    esac
  done <<END
$members
END
  for kind in managedidentity/userassignedidentities operationalinsights/workspaces insights/components web/serverfarms; do
    several=$(of_type "microsoft.$kind")
    [ "$(lines "$several" | grep -c .)" -le 1 ] || todo "Group $group has several $kind, and the templates make one. Move the others away: $(echo "$several" | tr '\n' ' ')"
  done
}
stranger() { todo "The templates did not make $1. Move it out of group $group, which the script deletes whole."; }

# --------------------------------------------------------------------------------------------------- is Certroll at rest?

rest() {
  if [ "$mode" != observe ]; then
    todo "Certroll may still write. Deploy with mode=observe, and wait until its next run has ended (CERTROLL_MODE is $(setting 1))."
  fi
  starts=$(journal "PartitionKey eq 'starts'") || starts=unknown
  rolls=$(journal "RowKey ge 'roll-' and RowKey lt 'roll.' and (state eq 'Overlapping' or state eq 'Failed' or state eq 'Restored')") || rolls=unknown
  case $starts in
  0 | unknown) ;;
  *) todo "$starts apps may be down, because Certroll stopped them and still has to start them. Wait: docs/how-to/complete-a-pending-start.md." ;;
  esac
  case $rolls in
  0 | unknown) ;;
  *) todo "The settings of $rolls apps are Overlapping, Failed or Restored. Set mode=apply, and wait until Certroll has finished them." ;;
  esac
  case $starts$rolls in
  *unknown*) notes="${notes}ASK   The journal in storage account $account could not be read (you need Storage Table Data Reader, and a way to it).$line" ;;
  esac
}

# Table storage may answer with a part and a marker for the rest: a part is no answer.
journal() { # FILTER
  query="[length(items), length(keys(nextMarker || \`{}\`))]"
  counted=$(look storage entity query --account-name "$account" --auth-mode login --table-name certrolljournal \
    --filter "$1" --query "$query" --output tsv) || return 1
  case $(echo "$counted" | tr '\n\t' '  ') in
  *[!0-9\ ]* | '' | ' ') return 1 ;;
  *' 0 ') echo "$counted" | head -n 1 ;;
  *) return 1 ;;
  esac
}

# -------------------------------------------------------------------------------------------------- outside of the group

# Azure silently leaves out of its lists what a person may not read, so a list counts only with this right on all of it.
whole() { # SUBSCRIPTION
  url="/subscriptions/$1/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
  query="value[?contains(actions, '*') || contains(actions, '*/read')].length(notActions[?ends_with(@, '/read') || ends_with(@, '/Read') || ends_with(@, '*')])"
  if ! readable=$(look rest --method get --url "$url" --query "$query" --output tsv) ||
    ! printf '%s\n' "$readable" | grep -qx 0; then
    ask "Azure shows you only a part of subscription $1. You need Reader on the whole subscription."
  fi
}

within() { case $(echo "$1" | lower)/ in "$2"/*) return 0 ;; *) return 1 ;; esac; }

rights() { # SUBSCRIPTION
  query='[].[principalId, id, scope, roleDefinitionId, roleDefinitionName]'
  if ! given=$(look role assignment list --all --subscription "$1" --fill-principal-name false --query "$query" --output tsv); then
    ask "The role assignments of subscription $1 could not be read. You need Reader there."
    return
  fi
  while IFS=$tab read -r holder id scope _ role; do
    [ "$holder" = "$principal" ] || continue
    if within "$scope" "$group_id"; then continue; fi # goes with the group
    if within "$scope" "/subscriptions/$1"; then
      take_right="$take_right$id$tab$role$tab$scope$line"
    else
      keep "role $role at $scope: it is above the subscription. Its owner runs: az role assignment delete --ids $id"
    fi
  done <<END
$given
END
  definitions "$1"
}

definitions() { # SUBSCRIPTION
  query="[].[name, roleName, join(',', assignableScopes)]"
  if ! roles=$(look role definition list --custom-role-only true --subscription "$1" --query "$query" --output tsv); then
    ask "The custom roles of subscription $1 could not be read. You need Reader there."
    return
  fi
  while IFS=$tab read -r name role assignable; do
    case $role in "Certroll $(part "$app" 9) "*) ;; *) continue ;; esac
    others=$(printf '%s\n' "$given" | awk -F '\t' -v own="$principal" -v role="/$(echo "$name" | lower)" \
      '$1 != own && substr(tolower($4), length($4) - length(role) + 1) == role { print $1 }' | sort -u | tr '\n' ' ')
    if [ "$(echo "$assignable" | lower)" != "/subscriptions/$1" ]; then
      keep "role definition $role: it can also be assigned elsewhere ($assignable)."
    elif [ -n "$others" ]; then
      keep "role definition $role: others have it too ($others)."
    else
      take_role="$take_role$name$tab$1$tab$role$line"
    fi
  done <<END
$roles
END
}

vaults_of() { # SUBSCRIPTION
  if ! found=$(look keyvault list --subscription "$1" --query '[].[name, resourceGroup]' --output tsv); then
    ask "The vaults of subscription $1 could not be read. You need Reader there."
    return
  fi
  while IFS=$tab read -r name vault_group; do
    [ -n "$name" ] || continue
    seen="$seen $(echo "$name" | lower) "
    query="[properties.tenantId, length(properties.accessPolicies[?objectId=='$principal'] || \`[]\`)]"
    if ! access=$(look keyvault show --name "$name" --subscription "$1" --query "$query" --output tsv) || [ -z "$access" ]; then
      ask "Vault $name could not be read in subscription $1. You need Reader there."
    elif [ "$(echo "$access" | tr '\t' '\n' | tail -n 1)" != 0 ]; then
      take_policy="$take_policy$name$tab$1$tab$vault_group$line"
    fi
  done <<END
$found
END
}

topics_of() { # SUBSCRIPTION
  if ! topics=$(look eventgrid system-topic list --subscription "$1" --query '[].[name, resourceGroup, source]' --output tsv); then
    ask "The system topics of subscription $1 could not be read. You need EventGrid Contributor there."
    return
  fi
  while IFS=$tab read -r name topic_group source; do
    case $(echo "$source" | lower) in */microsoft.keyvault/vaults/*) ;; *) continue ;; esac
    query='[].[name, deliveryWithResourceIdentity.destination.resourceId || destination.resourceId]'
    if ! subscribed=$(look eventgrid system-topic event-subscription list --system-topic-name "$name" \
      --resource-group "$topic_group" --subscription "$1" --query "$query" --output tsv); then
      ask "The event subscriptions of system topic $name could not be read. You need EventGrid Contributor on it."
      continue
    fi
    topic "$name" "$topic_group" "$1" "$source"
  done <<END
$topics
END
}

topic() { # NAME GROUP SUBSCRIPTION SOURCE
  ours='' others=''
  while IFS=$tab read -r event destination; do
    [ -n "$event" ] || continue
    case $event in certroll*) begins=1 ;; *) begins='' ;; esac
    if [ -n "$begins" ] && within "$destination" "$group_id"; then ours="$ours $event"; else others="$others $event"; fi
  done <<END
$subscribed
END
  for event in $ours; do take_event="$take_event$event$tab$1$tab$2$tab$3$line"; done
  if [ "$(echo "$1" | lower)" != "certroll-$(part "$4" 9 | lower)" ]; then
    [ -z "$ours" ] || keep "system topic $1: the templates did not make it."
  elif [ -n "$others" ]; then
    keep "system topic $1: others use it ($(echo "$others" | sed 's/^ //'))."
  elif [ -n "$ours" ] || case " $vaults " in *" $(part "$4" 9 | lower) "*) true ;; *) false ;; esac; then
    take_topic="$take_topic$1$tab$2$tab$3$line"
  fi
}

private_links() {
  query='[[properties.publicNetworkAccessForIngestion], properties.[PrivateLinkScopedResources, privateLinkScopedResources][].[ResourceId, resourceId][]][]'
  known=$scopes
  for id in $(of_type microsoft.insights/components) $(of_type microsoft.operationalinsights/workspaces); do
    case $(echo "$id" | lower) in */components/*) version=2020-02-02 ;; *) version=2025-07-01 ;; esac
    if ! linked=$(look resource show --ids "$id" --api-version $version --query "$query" --output tsv) || [ -z "$linked" ]; then
      ask "The private link scopes of $id could not be read. You need Reader there."
      continue
    fi
    known="$known $(printf '%s\n' "$linked" | tr '\t' '\n' | sed -n '/^\//s|/[sS]coped[rR]esources/.*||p')"
    case "$(printf '%s\n' "$linked" | head -n 1 | cut -f 1) $(echo "$known" | tr -d ' \n')" in
    'Disabled ') ask "$id takes telemetry through a private link scope, which Azure does not name. Give its id with -m." ;;
    esac
  done
  for scope in $(echo "$known" | lower | tr ' ' '\n' | sort -u); do entries "$scope"; done
}

entries() { # SCOPE
  query='[].[name, linkedResourceId]'
  if ! entered=$(look monitor private-link-scope scoped-resource list --scope-name "$(part "$1" 9)" \
    --resource-group "$(part "$1" 5)" --subscription "$(part "$1" 3)" --query "$query" --output tsv); then
    ask "The private link scope $1 could not be read. You need Reader there."
    return
  fi
  while IFS=$tab read -r name linked; do
    if ! within "$linked" "$group_id"; then continue; fi
    case $name in
    certroll-*) take_entry="$take_entry$name$tab$1$line" ;;
    *) keep "entry $name of private link scope $(part "$1" 9): the templates did not make it." ;;
    esac
  done <<END
$entered
END
}

# ------------------------------------------------------------------------------------- what Certroll left in your apps

# The names of Certroll's uploads, public certificates and roots begin with certroll-, and uploads have a tag. An import
# by the tag certroll-import-to has the name that az gives, so nothing tells it from an import by a person.
fleet_of() { # SUBSCRIPTION
  if ! all=$(look resource list --subscription "$1" --query '[].[type, id, tags."certroll-lineage"]' --output tsv); then
    ask "The resources of subscription $1 could not be read. You need Reader there, or leave the fleet out with -q."
    return
  fi
  while IFS=$tab read -r kind id lineage; do
    case $(echo "$kind" | lower) in
    microsoft.web/certificates)
      case "$(part "$id" 9)$tab$lineage" in
      [cC]ertroll-* | *"$tab"*/*) left_there="$left_there$id$line" ;;
      esac
      ;;
    microsoft.web/sites | microsoft.web/sites/slots) [ "$id" = "$app" ] || app_of_fleet "$id" ;;
    microsoft.web/hostingenvironments) children "$id/publicCertificates" ;;
    esac
  done <<END
$all
END
}

app_of_fleet() { # ID
  apps="$apps$1$line"
  if ! sku=$(look rest --method get --url "$1?api-version=$api" --query properties.sku --output tsv) || [ -z "$sku" ]; then
    ask "App $1 could not be read. You need Reader there, or leave the fleet out with -q."
    return
  fi
  children "$1/publicCertificates"
  # Only these apps have certificates of their own (docs/explanation/kinds/site-scoped.md).
  [ "$sku" != FlexConsumption ] || children "$1/certificates"
}

children() { # URL
  if ! listed=$(look rest --method get --url "$1?api-version=$api" --query "[value[].id, [nextLink || 'end']][]" --output tsv) ||
    [ "$(printf '%s\n' "$listed" | tail -n 1)" != end ]; then
    ask "$1 could not be read. You need Reader there, or leave the fleet out with -q."
    return
  fi
  while read -r id; do
    case ${id##*/} in [cC]ertroll-*) left_there="$left_there$id$line" ;; esac
  done <<END
$listed
END
}

# -------------------------------------------------------------------------------------------------------- look and list

gather() {
  left=0 notes='' members='' principal='' apps='' left_there='' seen='' starts='' rolls=''
  take_event='' take_topic='' take_right='' take_policy='' take_entry='' take_role=''
  installation || return 0
  strangers
  rest
  for subscription in $subscriptions; do
    whole "$subscription"
    rights "$subscription"
    vaults_of "$subscription"
    topics_of "$subscription"
    [ "$fleet" = off ] || fleet_of "$subscription"
  done
  for vault in $vaults; do
    case $seen in
    *" $vault "*) ;;
    *) ask "Vault $vault is in none of the subscriptions: give its subscription with -s. If the vault is gone, take it out of vaults, and deploy." ;;
    esac
  done
  private_links
}

each() { # WORDS LINES: print a line for each thing, with the words that name its parts $1 $2 …
  printf '%s' "$2" | awk -F '\t' -v words="$1" '{ text = words; for (i = 1; i <= NF; i++) gsub("%" i, $i, text); print "take  " text }'
}

list() {
  printf '%s' "$notes"
  [ -n "$principal" ] || return 0
  each 'event subscription %1 of system topic %2 in group %3 of subscription %4' "$take_event"
  each 'system topic %1 in group %2 of subscription %3' "$take_topic"
  each 'role %2 at %3' "$take_right"
  each 'access policy of the identity on vault %1 in subscription %2' "$take_policy"
  each 'entry %1 of private link scope %2' "$take_entry"
  each 'role definition %3 of subscription %2' "$take_role"
  echo "take  group $group of subscription $own with everything in it:"
  printf '%s\n' "$members" | awk -F '\t' 'NF { print "      " $2 }'
  printf '%s' "$left_there" | awk '{ print "keep  " $0 }'
}

# --------------------------------------------------------------------------------------------------------------- remove

say() { # WHAT COMMAND...: run the command, and stop where it fails
  echo "      $1" && shift
  az "$@" --only-show-errors --output none </dev/null || {
    echo "This failed, so the script stops, and the rest stays. Mend the cause, and run it again." >&2
    exit 1
  }
}

remove() {
  while IFS=$tab read -r event topic topic_group subscription; do
    [ -z "$event" ] || say "event subscription $event" eventgrid system-topic event-subscription delete --yes \
      --name "$event" --system-topic-name "$topic" --resource-group "$topic_group" --subscription "$subscription"
  done <<END
$take_event
END
  while IFS=$tab read -r topic topic_group subscription; do
    [ -z "$topic" ] || say "system topic $topic" eventgrid system-topic delete --yes \
      --name "$topic" --resource-group "$topic_group" --subscription "$subscription"
  done <<END
$take_topic
END
  while IFS=$tab read -r id role scope; do
    [ -z "$id" ] || say "role $role at $scope" role assignment delete --ids "$id"
  done <<END
$take_right
END
  while IFS=$tab read -r vault subscription vault_group; do
    [ -z "$vault" ] || say "access policy on vault $vault" keyvault delete-policy --object-id "$principal" \
      --name "$vault" --resource-group "$vault_group" --subscription "$subscription"
  done <<END
$take_policy
END
  while IFS=$tab read -r name scope; do
    [ -z "$name" ] || say "entry $name of private link scope $scope" monitor private-link-scope scoped-resource delete --yes \
      --name "$name" --scope-name "$(part "$scope" 9)" --resource-group "$(part "$scope" 5)" --subscription "$(part "$scope" 3)"
  done <<END
$take_entry
END
  while IFS=$tab read -r name subscription role; do
    [ -z "$name" ] || say "role definition $role" role definition delete --custom-role-only true \
      --name "$name" --scope "/subscriptions/$subscription" --subscription "$subscription"
  done <<END
$take_role
END
  say "group $group" group delete --yes --name "$group" --subscription "$own"
}

# A thumbprint in a binding or in the settings of an app keeps its certificate, and so does an app that loads them all.
used_thumbprints() {
  while read -r id; do
    [ -n "$id" ] || continue
    look rest --method get --url "$id?api-version=$api" --query 'properties.hostNameSslStates[].thumbprint' --output tsv || return 1
    look rest --method post --url "$id/config/appsettings/list?api-version=$api" --query 'values(properties)' --output tsv || return 1
  done <<END
$apps
END
}

clean_fleet() {
  if ! used=$(used_thumbprints); then
    echo "ASK   The bindings and settings of an app could not be read, so every certificate stays." && return 1
  fi
  everything=$(printf '%s\n' "$used" | grep -cE '(^|,)[[:space:]]*\*[[:space:]]*(,|$)') || true
  # Blanks, colons and other marks do not count in a thumbprint (shared/domain/fleet/app_settings.py).
  used=$(printf '%s' "$used" | lower | LC_ALL=C tr -cd '0-9a-z')
  while read -r id <&3; do
    [ -n "$id" ] || continue
    thumbprint=$(echo "$id" | lower | grep -oE '[0-9a-f]{40}$') || thumbprint=''
    if [ -z "$thumbprint" ]; then
      echo "keep  $id: its name has no thumbprint."
    elif [ "$everything" -ne 0 ] || printf '%s\n' "$used" | grep -qF -e "$thumbprint"; then
      echo "keep  $id: a binding or a setting of an app names it, or an app loads every certificate."
    elif agreed "Type the name ${id##*/} to delete $id:" "${id##*/}"; then
      say "$id" rest --method delete --url "$id?api-version=$api"
    fi
  done 3<<END
$left_there
END
}

agreed() { # QUESTION ANSWER: return 0 only if the person typed the answer
  printf '\n%s ' "$1"
  read -r answer || answer=''
  [ "$answer" = "$2" ]
}

echo "Looking. A large installation takes minutes." >&2
gather
list
if [ $left -ne 0 ]; then
  echo "Nothing was removed. Do what the lines DO and ASK say, and run the script again." >&2
  exit 1
fi
if [ ! -t 0 ]; then
  echo "Nothing was removed: the script asks in a terminal." >&2
  exit 1
fi
case $starts$rolls in
*unknown*)
  if ! agreed "Is there no open finding StartPending, and no app Overlapping, Failed or Restored? Type none:" none; then
    echo "Nothing was removed. Wait: docs/how-to/complete-a-pending-start.md." >&2
    exit 1
  fi
  ;;
esac
if ! agreed "Type the name of the group, $group, to remove each line that begins with take:" "$group"; then
  echo "Nothing was removed." >&2
  exit 1
fi
before=$(list | sort)
echo "Looking again, and then removing:"
gather
if [ $left -ne 0 ] || [ "$(list | sort)" != "$before" ]; then
  echo "Something changed since the list above, so nothing was removed. Run the script again." >&2
  exit 1
fi
remove
[ "$fleet" != ask ] || clean_fleet
