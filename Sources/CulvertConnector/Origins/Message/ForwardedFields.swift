import HTTPSemantics

/// Which of an origin's fields cross the tunnel.
enum ForwardedFields {
    /// Drops what concerns this hop only (RFC 9110 §7.6.1): `Connection`, the fields it names, and
    /// the ones that are hop-by-hop by nature. A 101 keeps `Connection` and `Upgrade`.
    static func response(_ fields: inout HTTPFields, keepsUpgrade: Bool) {
        var named: [String] = []
        var isClean = true
        for field in fields.storage where Self.isHopByHop(field.name) {
            isClean = false
            if field.name.equalsIgnoringASCIICase("connection") {
                for option in field.value.split(separator: ",") {
                    let option = String(option).trimmingBlanks()
                    if option.equalsIgnoringASCIICase("keep-alive") { continue }
                    if option.equalsIgnoringASCIICase("close") { continue }
                    if !Self.isProtected(option) { named.append(option) }
                }
            }
        }
        guard !isClean else { return }
        fields.storage.removeAll { field in
            if keepsUpgrade, Self.isUpgrade(field.name) { return false }
            return Self.isHopByHop(field.name)
                || named.contains { $0.equalsIgnoringASCIICase(field.name) }
        }
    }

    /// Drops trailer fields that frame or route a message (RFC 9110 §6.5.1).
    static func trailers(_ fields: inout HTTPFields) {
        fields.storage.removeAll { field in
            Self.isHopByHop(field.name) || Self.isProtected(field.name)
        }
    }

    private static func isUpgrade(_ name: String) -> Bool {
        name.equalsIgnoringASCIICase("connection") || name.equalsIgnoringASCIICase("upgrade")
    }

    /// Names that `Connection` must not be able to remove.
    private static func isProtected(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: name.equalsIgnoringASCIICase("host")
        case 14: name.equalsIgnoringASCIICase("content-length")
        default: false
        }
    }

    static func isHopByHop(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2: name.equalsIgnoringASCIICase("te")
        case 7: name.equalsIgnoringASCIICase("upgrade")
        case 10:
            name.equalsIgnoringASCIICase("connection") || name.equalsIgnoringASCIICase("keep-alive")
        case 16: name.equalsIgnoringASCIICase("proxy-connection")
        case 17: name.equalsIgnoringASCIICase("transfer-encoding")
        default: false
        }
    }
}
