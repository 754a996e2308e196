"""What SNMPv3 authPriv costs beside C net-snmp."""
