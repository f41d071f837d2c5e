"""The clients of Azure Resource Manager (ARM)."""
