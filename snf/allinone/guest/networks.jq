# OpenStack's network_data.json as lines for the small guest's "init":
#   nic MAC,MTU,IPV4/BITS,GATEWAY,IPV6/BITS,GATEWAY,HOW
#   route MAC DESTINATION/BITS GATEWAY
#   dns ADDRESS
def ones: if . == 0 then 0 else . % 2 + (. / 2 | floor | ones) end;
def hex: ascii_downcase | explode
  | reduce .[] as $digit (0; . * 16 + $digit - (if $digit > 96 then 87 else 48 end));
# Of a netmask, 255.255.255.0 or ffff:ffff::, or of bits.
def bits: tostring
  | if contains(":") then [split(":")[] | select(. != "") | hex | ones] | add // 0
    elif contains(".") then [split(".")[] | tonumber | ones] | add
    else . end;
def everywhere: .network | IN("0.0.0.0", "0.0.0.0/0", "::", "::/0");
def with_bits: if (.ip_address // "") == "" then ""
  elif .ip_address | contains("/") then .ip_address
  else "\(.ip_address)/\(.netmask | bits)" end;
def gateway: [.routes // [] | .[] | select(everywhere) | .gateway] | first // "";
def fixed($kind): [.[] | select(.type == $kind)] | first // {};
def how: [.[].type] | (index("ipv4_dhcp") != null) as $leased
  | any(.[]; startswith("ipv6_")) as $advertised
  | if $leased and $advertised then "plugged" elif $leased then "lease"
    elif $advertised then "slaac" else "" end;

. as $all
| (.links // [] | .[]) as $link
| [$all.networks // [] | .[] | select(.link == $link.id)] as $here
| ($here | fixed("ipv4")) as $four
| ($here | fixed("ipv6")) as $six
| ($link.ethernet_mac_address | ascii_downcase) as $mac
| "nic " + ([$mac, ($link.mtu // "" | tostring), ($four | with_bits), ($four | gateway),
    ($six | with_bits), ($six | gateway), ($here | how)] | join(",")),
  ($here[] | select(.type == "ipv4" or .type == "ipv6") | .routes // [] | .[]
    | select(everywhere | not) | "route \($mac) \(.network)/\(.netmask | bits) \(.gateway)"),
  ([$all.services // [], ($here[] | .services // [])] | add | .[]
    | select(.type == "dns") | "dns \(.address)")
