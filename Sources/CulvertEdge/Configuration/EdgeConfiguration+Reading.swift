package import ConfigurationFile
import HTTPSemantics

extension EdgeConfiguration {
    /// Reads a configuration file.
    ///
    /// - Throws: everything that is wrong with it.
    package static func load(file: String) throws(ConfigurationProblems) -> Self {
        let text = try ConfigurationReader.text(ofFile: file)
        return try self.parse(text, reader: ConfigurationReader(file: file))
    }

    /// Reads a configuration's text with a fresh reader, for the file the text is from.
    ///
    /// - Throws: everything that is wrong with it.
    package static func parse(
        _ text: String,
        reader: ConfigurationReader
    ) throws(ConfigurationProblems) -> Self {
        let root = reader.root(of: text)
        // Of a file with nothing in it, that every key is missing says nothing more.
        if root.isEmpty { try reader.finish() }
        let domain = root.take("domain")?.dnsName()
        let names = EdgeNames.read(root, domain: domain)
        let store = root.take("store")
        let storeFile = store.map { $0.isWord("off") ? nil : $0.filePath() }
        let listen = Listen.read(root.take("listen"))
        let tls = root.require("tls", "at least one certificate and its key")
        let certificates = tls.map(CertificateFiles.readList) ?? []
        var register = TunnelRegister(reserved: names.all)
        let tunnels = root.take("tunnels")?.elements()?.compactMap { register.read($0) } ?? []
        var limits = EdgeLimits()
        if let mapping = root.take("limits")?.mapping() { limits.read(mapping) }
        let window = root.take("resume-window")?.duration(.zero ... .seconds(3600))
        let grace = root.take("grace-period")?.duration()
        let trusted = root.take("trusted-proxies")?.elements()?.compactMap { $0.addressRange() }
        let accessLog = root.take("access-log")?.bool()
        root.finish()
        try reader.finish()
        guard let connect = names.connect else { throw ConfigurationProblems(reader.problems) }
        var configuration = EdgeConfiguration(connect: connect)
        configuration.domain = domain
        configuration.control = names.control
        configuration.store = storeFile ?? reader.resolve(path: "edge.db")
        configuration.listen = listen
        configuration.certificates = certificates
        configuration.tunnels = tunnels
        configuration.resumeWindow = window ?? configuration.resumeWindow
        configuration.gracePeriod = grace ?? configuration.gracePeriod
        configuration.trustedProxies = trusted ?? []
        configuration.accessLog = accessLog ?? false
        configuration.limits = limits
        configuration.notices = reader.notices
        return configuration
    }
}

/// The edge's own names.
private struct EdgeNames {
    /// Nil when it is wrong or missing, which is reported.
    var connect: NormalizedHost?
    var control: NormalizedHost?

    /// With the words they have in the file, for messages.
    var all: [NormalizedHost: String] {
        var names: [NormalizedHost: String] = [:]
        if let control { names[control] = "the name of the API (`control`)" }
        if let connect { names[connect] = "the name connectors dial (`connect`)" }
        return names
    }

    /// Reads `connect` and `control`; what is missing is a name below `domain`.
    static func read(_ root: ConfigurationMapping, domain: NormalizedHost?) -> Self {
        var names = Self()
        if let domain {
            names.connect = try? NormalizedHost("connect.\(domain.name)")
            names.control = try? NormalizedHost("edge.\(domain.name)")
            root.read("connect", into: &names.connect) { $0.dnsName() }
        } else {
            names.connect = root.require("connect", "the name connectors dial")?.dnsName()
        }
        if let control = root.take("control") {
            names.control = control.isWord("off") ? nil : control.dnsName()
            if let host = names.control, host == names.connect {
                control.report("\(host) is the name connectors dial (`connect`) already")
            }
        }
        return names
    }
}

extension EdgeConfiguration.Listen {
    fileprivate static func read(_ value: ConfigurationValue?) -> Self {
        var listen = Self()
        guard let mapping = value?.mapping() else { return listen }
        mapping.read("https", into: &listen.https) { $0.hostPort() }
        let http = mapping.take("http")
        if let http { listen.http = http.listener(else: listen.http) }
        mapping.read("plain", into: &listen.plain) { $0.choice() }
        let metrics = mapping.take("metrics")
        if let metrics { listen.metrics = metrics.listener(else: listen.metrics) }
        let host = listen.https.host
        listen.tcpPorts = mapping.take("tcp-ports")?.tcpPortRange(defaultHost: host)
        mapping.finish()
        var names = [listen.https: "https"]
        let others = [("http", http, listen.http), ("metrics", metrics, listen.metrics)]
        for (name, value, address) in others {
            guard let address, address.port != 0 else { continue }
            if let other = names[address] {
                let place = value?.place ?? mapping.place
                let message = "\(address) is the address of `\(other)` already"
                mapping.reader.report(place, mapping.path(of: name), message)
            }
            names[address] = name
        }
        return listen
    }
}

extension CertificateFiles {
    fileprivate static func readList(_ value: ConfigurationValue) -> [Self] {
        guard let elements = value.elements() else { return [] }
        if elements.isEmpty { value.report("needs at least one certificate and its key") }
        return elements.compactMap { element in
            guard let mapping = element.mapping() else { return nil }
            let certificate = mapping.require("certificate", "a PEM file")?.filePath()
            let key = mapping.require("key", "a PEM file")?.filePath()
            mapping.finish()
            guard let certificate, let key else { return nil }
            return Self(certificate: certificate, key: key)
        }
    }
}

extension ConfigurationValue {
    /// A host name that is no address.
    fileprivate func dnsName() -> NormalizedHost? {
        guard let host = self.hostname() else { return nil }
        guard !host.isAddress else {
            self.report("has to be a name, since TLS tells hosts apart by name; found \"\(host)\"")
            return nil
        }
        return host
    }

    /// `off`, or an address; what is wrong is reported and `fallback` used.
    fileprivate func listener(else fallback: HostPort?) -> HostPort? {
        if self.isWord("off") { return nil }
        return self.hostPort() ?? fallback
    }

    fileprivate func addressRange() -> AddressRange? {
        guard let text = self.string() else { return nil }
        do {
            return try AddressRange(text)
        } catch {
            self.report("\(error)")
            return nil
        }
    }
}
