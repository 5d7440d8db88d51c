import ConfigurationFile
import CulvertControl
import HTTPSemantics

/// Reads tunnels and sees to it that no two share a name, a key or a hostname.
struct TunnelRegister {
    private let reserved: [NormalizedHost: String]
    private var lines: [String: Int] = [:]
    private var keyLines: [TunnelPublicKey: Int] = [:]
    private var hostnames: [HostPattern: (tunnel: String, line: Int)] = [:]

    /// - Parameter reserved: the edge's own names, which no tunnel can have, and what each is.
    init(reserved: [NormalizedHost: String]) { self.reserved = reserved }

    /// Reads one tunnel; nil when it is wrong, which is reported.
    mutating func read(_ element: ConfigurationValue) -> DeclaredTunnel? {
        guard let mapping = element.mapping() else { return nil }
        let name = self.readName(mapping.require("name", "what connectors call the tunnel"))
        let hint = "the line that `culvert tunnel keygen` prints"
        let key = self.readKey(mapping.require("public-key", hint))
        let tunnel = name ?? element.keyPath
        let list = mapping.require("hostnames", "what visitors reach the tunnel by")?.elements()
        let hostnames = (list ?? []).compactMap { self.readHostname($0, tunnel) }
        mapping.finish()
        guard let name, let key else { return nil }
        return .init(name: name, publicKey: key, hostnames: hostnames)
    }

    private mutating func readName(_ value: ConfigurationValue?) -> String? {
        guard let value, let name = value.name() else { return nil }
        guard name.utf8.count <= 255 else {
            value.report("has to be at most 255 bytes long")
            return nil
        }
        if let line = self.lines[name] {
            value.report("\"\(name)\" is the name of the tunnel on line \(line) already")
            return nil
        }
        self.lines[name] = value.place.line
        return name
    }

    private mutating func readKey(_ value: ConfigurationValue?) -> TunnelPublicKey? {
        guard let value, let text = value.string() else { return nil }
        guard let key = TunnelPublicKey(base64: text) else {
            value.report(
                "expected an Ed25519 public key, 32 bytes in base64, as `culvert tunnel keygen` "
                    + "prints it"
            )
            return nil
        }
        if let line = self.keyLines[key] {
            value.report("is the key of the tunnel on line \(line) already; each needs its own")
            return nil
        }
        self.keyLines[key] = value.place.line
        return key
    }

    /// A hostname by itself, or one with its settings.
    private mutating func readHostname(
        _ value: ConfigurationValue,
        _ tunnel: String
    ) -> ServedHostname? {
        guard value.isMapping, let mapping = value.mapping() else {
            return self.readPattern(value, tunnel).map { ServedHostname($0) }
        }
        let hostname = mapping.require("hostname", "what visitors reach the tunnel by")
        let pattern = hostname.flatMap { self.readPattern($0, tunnel) }
        var balance = Balance.leastRequests
        mapping.read("balance", into: &balance) { $0.choice() }
        mapping.finish()
        return pattern.map { ServedHostname($0, balance: balance) }
    }

    private mutating func readPattern(
        _ value: ConfigurationValue,
        _ tunnel: String
    ) -> HostPattern? {
        guard let pattern = value.hostPattern() else { return nil }
        if case .exact(let host) = pattern.kind, let use = self.reserved[host] {
            value.report("\(host) is \(use), visitors cannot have it")
            return nil
        }
        if let other = self.hostnames[pattern] {
            let owner =
                other.tunnel == tunnel ? "is listed" : "belongs to tunnel \"\(other.tunnel)\""
            value.report("\(pattern) \(owner) already, on line \(other.line)")
            return nil
        }
        self.hostnames[pattern] = (tunnel, value.place.line)
        return pattern
    }
}
