#!/bin/sh
# Look, before a deployment, at what infra/main.bicep needs from Azure, and print a line with the next step for each.
# The script only reads. It ends with 0 if nothing is left to do, 1 if a line begins with DO or ASK, and 2 if it cannot start.
set -eu

usage() {
  cat <<'END'
usage: infra/preflight.sh -l REGION [-s SUBSCRIPTION]... [-v VAULT[:SUBSCRIPTION]]... [-p dedicated] [-g]

  -l  the region of the installation
  -s  the id of a subscription with sites; without -s, the subscription of `az account show`
  -v  the name of a vault, with the id of its subscription if it is another one
  -p  dedicated: the plan for clouds and regions without Flex Consumption
  -g  the cloud is US Government

ok   nothing to do      DO   do this before you deploy      ASK  could not look: find out
END
}

region='' subscriptions='' vaults='' plan=flex app_service=abfa0a7c-a6b6-4736-8310-5855508787cd
while getopts l:s:v:p:gh option; do
  case $option in
  l) region=$OPTARG ;;
  s) subscriptions="$subscriptions $OPTARG" ;;
  v) vaults="$vaults $OPTARG" ;;
  p) plan=$OPTARG ;;
  g) app_service=6a02c803-dafd-4136-b4c3-5a6f318b4714 ;; # Azure docs, configure-ssl-certificate
  h) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
  esac
done
if [ -z "$region" ] || [ $# -ge "$OPTIND" ]; then
  usage >&2
  exit 2
fi

left=0
ok() { echo "ok   $1"; }
todo() { echo "DO   $1" && left=1; }
ask() { echo "ASK  $1" && left=1; }
lower() { tr '[:upper:]' '[:lower:]'; }

# A command that fails is never an answer: each caller says what the person has to look up.
look() { az "$@" --only-show-errors 2>/dev/null </dev/null; }

# ------------------------------------------------------------------------------------------------- az and the account

command -v az >/dev/null || { echo "There is no az on the path. Install the Azure CLI 2.90 or newer." >&2 && exit 2; }
version=$(look version --query '"azure-cli"' --output tsv) || version=''
major=${version%%.*} minor=${version#*.} && minor=${minor%%.*}
case "$major$minor" in
'' | *[!0-9]*) ask "az does not say its version. You need 2.90 or newer." ;;
*)
  if [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 90 ]; }; then
    ok "az $version"
  else
    todo "az $version is older than 2.90 and speaks a Key Vault API that ends on 2027-02-27. Run: az upgrade"
  fi
  ;;
esac

own=$(look account show --query id --output tsv) || own=''
[ -n "$own" ] || { echo "az is not signed in. Run: az login" >&2 && exit 2; }
[ -n "$subscriptions" ] || subscriptions=$own
ok "The installation goes to subscription $own (az account set changes it)."

# ---------------------------------------------------------------------------------------------------------- providers

providers() { # SUBSCRIPTION NAMESPACE...
  subscription=$1 && shift
  if ! states=$(look provider list --subscription "$subscription" --query '[].[namespace, registrationState]' --output tsv); then
    ask "The resource providers of subscription $subscription could not be read. You need Reader there."
    return
  fi
  for namespace; do
    if ! printf '%s\n' "$states" | lower | grep -q "^$(echo "$namespace" | lower)	registered$"; then
      todo "$namespace is not registered in $subscription. Run: az provider register --wait --namespace $namespace --subscription $subscription"
    fi
  done
  ok "The resource providers of subscription $subscription were looked at."
}

needed='Microsoft.EventGrid Microsoft.Insights Microsoft.KeyVault Microsoft.ManagedIdentity Microsoft.OperationalInsights'
needed="$needed Microsoft.Storage Microsoft.Web"
[ "$plan" = dedicated ] || needed="$needed Microsoft.App" # Flex Consumption in a network delegates its subnet to it
# shellcheck disable=SC2086 # a list of words
providers "$own" $needed

# --------------------------------------------------------------------------------------------------------------- Flex

if [ "$plan" != dedicated ]; then
  if ! regions=$(look functionapp list-flexconsumption-locations --query '[].name' --output tsv); then
    ask "The regions with Flex Consumption could not be read. Look them up, or deploy with plan=dedicated."
  elif printf '%s\n' "$regions" | tr -d ' ' | lower | grep -qx "$(echo "$region" | tr -d ' ' | lower)"; then
    ok "Region $region has Flex Consumption."
  else
    todo "Region $region has no Flex Consumption. Take another region, or deploy with plan=dedicated."
  fi
fi

# ------------------------------------------------------------------------------------------------------------- rights

# Azure joins the permissions of all roles of a person, each without its own notActions.
may() { # ACTION PERMISSIONS (each line: actions, a semicolon, notActions; joined by commas)
  printf '%s\n' "$2" | lower | {
    while IFS=';' read -r allowed refused; do
      if matches "$1" "$allowed" && ! matches "$1" "$refused"; then exit 0; fi
    done
    exit 1
  }
}

matches() { # ACTION PATTERNS
  set -f
  for pattern in $(echo "$2" | tr ',' ' '); do
    # shellcheck disable=SC2254 # the pattern of a role has its own asterisks
    case $(echo "$1" | lower) in $pattern) return 0 ;; esac
  done
  return 1
}

rights() { # SCOPE TEMPLATE WHAT ACTION...
  scope=$1 template=$2 what=$3 && shift 3
  query="value[].join(';', [join(',', actions), join(',', notActions)])"
  url="$scope/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
  if ! permissions=$(look rest --method get --url "$url" --query "$query" --output tsv); then
    ask "Your rights on $what could not be read. $template needs somebody who may $*."
    return
  fi
  for action; do
    if ! may "$action" "$permissions"; then
      todo "You may not $action on $what. Deploy main.bicep with grants=apart; its outputs give the owner of $what the command for $template."
      return
    fi
  done
  ok "You may deploy $template on $what."
}

grant='Microsoft.Authorization/roleAssignments/write'
rights "/subscriptions/$own" infra/main.bicep "subscription $own" Microsoft.Resources/deployments/write \
  Microsoft.Resources/subscriptions/resourceGroups/write "$grant"
for subscription in $subscriptions; do
  rights "/subscriptions/$subscription" infra/subscription.bicep "subscription $subscription" "$grant" \
    Microsoft.Authorization/roleDefinitions/write
done

# ------------------------------------------------------------------------------------------------- App Service's object

object=$(look ad sp show --id "$app_service" --query id --output tsv) || object=''
if [ -n "$object" ]; then
  ok "App Service's object id is $object: give it as appServiceObjectId."
else
  ask "App Service's object id could not be read. Somebody who may read the directory runs: az ad sp show --id $app_service --query id"
fi

# ------------------------------------------------------------------------------------------------------------- vaults

vault() { # NAME SUBSCRIPTION
  query='[id, location, properties.enableRbacAuthorization]'
  if ! found=$(look keyvault show --name "$1" --subscription "$2" --query "$query" --output tsv) || [ -z "$found" ]; then
    ask "Vault $1 could not be read in subscription $2. Check the name; you need Reader on the vault."
    return
  fi
  # tsv gives the three values on three lines
  id=$(echo "$found" | sed -n 1p) location=$(echo "$found" | sed -n 2p) roles=$(echo "$found" | sed -n 3p | lower)
  group=$(echo "$id" | cut -d / -f 5)
  if [ "$roles" = true ]; then access=rbac; else access=policies; fi
  ok "Vault $1 is in group $group and region $location: give access='$access'."
  [ "$2" = "$own" ] || providers "$2" Microsoft.EventGrid Microsoft.KeyVault
  rights "$id" infra/vault.bicep "vault $1" "$grant" Microsoft.EventGrid/systemTopics/write
  topic "$1" "$2" "$id"
  [ -z "$object" ] || [ "$access" != rbac ] || app_service_reads "$1" "$id"
}

topic() { # NAME SUBSCRIPTION ID
  if ! topics=$(look eventgrid system-topic list --subscription "$2" --query '[].[source, name, identity.type]' --output tsv); then
    ask "The system topics of subscription $2 could not be read. Azure allows one for vault $1: look for one in the portal."
    return
  fi
  mine=$(printf '%s\n' "$topics" | awk -F '\t' -v id="$3" 'tolower($1) == tolower(id) { print $2, $3 }')
  case $mine in
  '') ok "Vault $1 has no system topic: the template makes one." ;;
  *[Ss]ystem[Aa]ssigned*) ok "Vault $1 has the system topic ${mine%% *}: give existingTopic='${mine%% *}'." ;;
  *) todo "Vault $1 has the system topic ${mine%% *} without an identity. Run: az eventgrid system-topic update --name ${mine%% *} --resource-group $(echo "$3" | cut -d / -f 5) --subscription $2 --identity systemassigned. Then give existingTopic='${mine%% *}'." ;;
  esac
}

app_service_reads() { # NAME ID
  query="[?principalId=='$object'].roleDefinitionName"
  if ! given=$(look role assignment list --scope "$2" --include-inherited --fill-principal-name false --query "$query" --output tsv); then
    ask "The role assignments of vault $1 could not be read. If App Service has Key Vault Certificate User there, give appServiceReads=true."
  elif printf '%s\n' "$given" | grep -qx 'Key Vault Certificate User'; then
    ok "App Service may read vault $1 already: give appServiceReads=true."
  else
    ok "App Service may not read vault $1 yet: the template grants it."
  fi
}

for entry in $vaults; do
  case $entry in
  *:*) vault "${entry%%:*}" "${entry#*:}" ;;
  *) vault "$entry" "$own" ;;
  esac
done

# ------------------------------------------------------------------------------------------------- the role's actions

# Azure refuses a whole role for one action that it does not know.
role=$(dirname "$0")/compiled/subscription.json
actions=$(grep -oE '"Microsoft\.[A-Za-z]+/[A-Za-z/]+/(read|write|delete|action)"' "$role" | tr -d '"' | sort -u)
for namespace in $(echo "$actions" | cut -d / -f 1 | sort -u); do
  query="[resourceTypes[].operations[].name, operations[].name][]"
  if ! known=$(look provider operation show --namespace "$namespace" --query "$query" --output tsv) || [ -z "$known" ]; then
    ask "The actions of $namespace could not be read. If Azure refuses the role, the message names the action."
    continue
  fi
  # grep takes each line of the answer as one fixed text, in any letter case
  unknown=$(echo "$actions" | grep "^$namespace/" | grep -vixF -e "$(printf '%s\n' "$known" | tr '\t' '\n')" | tr '\n' ' ') || true
  if [ -z "$unknown" ]; then
    ok "Azure knows each action of $namespace in the role."
  else
    todo "Azure does not list ${unknown% }. Give 'off' or 'builtin' for the parameter of infra/subscription.bicep that adds it (roots, flexSites, references)."
  fi
done

exit $left
