//! The transport that resolves names: against dnsmasq in a network namespace, and against servers that misbehave.

#[path = "net_dns/bounds.rs"]
mod bounds;
#[path = "net_dns/dialer.rs"]
mod dialer;
#[path = "net_dns/neighbours.rs"]
mod neighbours;
#[path = "net_dns/records.rs"]
mod records;
#[path = "net_dns/system.rs"]
mod system;
#[path = "net_dns/trouble.rs"]
mod trouble;
#[path = "net_dns/zone.rs"]
mod zone;
