"""Read sites, certificates and app settings from Azure in parallel, and return them as one `Fleet`.

The file fleet.py is the best file of this folder to read first.
"""
