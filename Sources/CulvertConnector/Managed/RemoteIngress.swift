package import ConfigurationFile
internal import TunnelWire

/// The configuration of a tunnel that is managed from the edge: `ingress` and `originRequest`, as in
/// `config.yml`, and nothing else, since connectors differ in the rest.
package enum RemoteIngress {
    /// Reads such a configuration with a fresh reader, for the file the text is from.
    ///
    /// - Throws: everything that is wrong with it.
    package static func parse(
        _ text: String,
        reader: ConfigurationReader
    ) throws(ConfigurationProblems) -> IngressRules {
        let maximum = ManagedConfiguration.maximumTextBytes
        guard text.utf8.count <= maximum else {
            reader.report(nil, "", "has more than the \(maximum) bytes that it may have")
            try reader.finish()
            return IngressRules(service: .httpStatus(503))
        }
        let root = reader.root(of: text)
        var defaults = OriginOptions()
        if let mapping = root.take("originRequest")?.mapping() { defaults.read(mapping) }
        let rules = root.require("ingress", "where requests go")
        let ingress = rules.flatMap { IngressRules.read($0, defaults: defaults) }
        for key in self.localKeys {
            root.take(key)?.report(
                "belongs in each connector's own file; here are only `ingress` and `originRequest`"
            )
        }
        root.finish()
        try reader.finish()
        return ingress ?? IngressRules(service: .httpStatus(503))
    }

    private static let localKeys = [
        "tunnel", "credentials-file", "cred-file", "edge", "edge-address", "ca-file", "metrics",
        "loglevel", "grace-period", "token",
    ]
}
