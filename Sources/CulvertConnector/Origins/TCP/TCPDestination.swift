import ConfigurationFile
import HTTPSemantics

/// Where a carried connection goes.
struct TCPDestination: Equatable {
    /// A name or an address literal without brackets.
    var host: String
    /// 1...65535.
    var port: Int

    /// The request fields that name a bastion's destination: cloudflared's, and our own, which an edge
    /// takes from no visitor.
    static let fields = ["Culvert-Jump-Destination", "Cf-Access-Jump-Destination"]

    /// What a bastion's request asks for: `host:port`, or a URL, whose path and user do not count;
    /// nil when it asks for nothing of that kind, or twice.
    init?(of head: RequestHead) {
        for name in Self.fields {
            let values = head.fields.values(name)
            guard let value = values.first else { continue }
            guard values.count == 1 else { return nil }
            self.init(value)
            return
        }
        return nil
    }

    private init?(_ text: String) {
        var rest = Substring(text)
        if let scheme = text.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        rest = rest.prefix { !"/?#".contains($0) }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        guard let address = try? HostPort(String(rest)), !address.host.isEmpty, address.port != 0
        else { return nil }
        self.init(host: address.host, port: address.port)
    }

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

extension TCPDestination: CustomStringConvertible {
    var description: String { HostPort(host: self.host, port: self.port).description }
}
