# MikroTik RouterOS 7: the DHCP server of a router, another host as TFTP server.
# One file for all machines; by firmware below.
/ip dhcp-server network
set [find address=10.0.0.0/24] gateway=10.0.0.1 next-server=10.0.0.2 boot-file-name=undionly.kpxe

# By what a machine says it is (option 93, RFC 4578): options 66 and 67 for those that match (RouterOS 7.4 and later).
/ip dhcp-server option
add name=tftp-server code=66 value="'10.0.0.2'"
add name=boot-efi64 code=67 value="'ipxe.efi'"
/ip dhcp-server option sets
add name=efi64 options=tftp-server,boot-efi64
/ip dhcp-server matcher
add name=efi64-7 server=dhcp1 address-pool=pool1 code=93 value=0x0007 option-set=efi64
add name=efi64-9 server=dhcp1 address-pool=pool1 code=93 value=0x0009 option-set=efi64
