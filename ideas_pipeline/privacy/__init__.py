"""Personal data: the policy for what may be stored, erasure from warehouse and archive, and the suppression list.

Every page passes through here before it is archived or loaded. How pages are read (`ideas_api/`) and how rows are
written (`warehouse/`) does not belong here.
"""
