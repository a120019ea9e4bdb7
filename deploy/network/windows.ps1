# Windows Server's DHCP: options 66 (server) and 67 (file), the file by vendor class (policies need Server 2012 or later).
# Do not set option 60 (PXEClient): it sends machines to port 4011 of this host.
$scope = '10.0.0.0'
Set-DhcpServerv4OptionValue -ScopeId $scope -OptionId 66 -Value '10.0.0.2'
Set-DhcpServerv4OptionValue -ScopeId $scope -OptionId 67 -Value 'undionly.kpxe'

# Machines with UEFI say so in their vendor class (RFC 4578).
Add-DhcpServerv4Class -Name 'UEFI x64' -Type Vendor -Data 'PXEClient:Arch:00007'
Add-DhcpServerv4Policy -ScopeId $scope -Name 'UEFI x64' -Condition OR -VendorClass EQ, 'UEFI x64*'
Set-DhcpServerv4OptionValue -ScopeId $scope -PolicyName 'UEFI x64' -OptionId 66 -Value '10.0.0.2'
Set-DhcpServerv4OptionValue -ScopeId $scope -PolicyName 'UEFI x64' -OptionId 67 -Value 'ipxe.efi'
