package import HTTPSemantics

/// `ipRules`: where the `bastion` and `socks-proxy` services may connect to, with cloudflared's
/// meaning.
package struct IPRule: Hashable, Sendable {
    /// The addresses it is about.
    package var prefix: AddressRange
    /// The ports it is about, 1...65535; none is every port.
    package var ports: [Int]
    /// Whether connections that it is about are made.
    package var allow: Bool

    package init(prefix: AddressRange, ports: [Int] = [], allow: Bool) {
        self.prefix = prefix
        self.ports = ports
        self.allow = allow
    }
}

extension [IPRule] {
    /// Whether a connection may be made: the first rule that is about it decides; none denies.
    ///
    /// It is asked about the very address that is dialled next, so a name that resolves to another
    /// one by then changes nothing.
    func allow(_ address: IPAddress, port: Int) -> Bool {
        // The unspecified address is another name of loopback to a connecting socket.
        let reached: IPAddress =
            switch address.unmapped {
            case .v4(0): .v4(0x7F00_0001)
            case .v6(0): .v6(1)
            case let other: other
            }
        return self.first {
            $0.prefix.contains(reached) && ($0.ports.isEmpty || $0.ports.contains(port))
        }?.allow ?? false
    }
}
