import ConfigurationFile

extension OriginOptions {
    /// Keys without effect.
    private static let inapplicable: [String: String] = [
        "proxyAddress": "it concerns cloudflared's own proxies, which Culvert does not start",
        "proxyPort": "it concerns cloudflared's own proxies, which Culvert does not start",
    ]

    /// Overrides, key by key, what `mapping` has.
    mutating func read(_ mapping: ConfigurationMapping) {
        mapping.read("connectTimeout", into: &self.connectTimeout) { $0.timeout() }
        mapping.read("tlsTimeout", into: &self.tlsTimeout) { $0.timeout() }
        mapping.read("tcpKeepAlive", into: &self.tcpKeepAlive) { $0.duration() }
        mapping.read("noHappyEyeballs", into: &self.noHappyEyeballs) { $0.bool() }
        mapping.read("keepAliveConnections", into: &self.keepAliveConnections) {
            $0.int(0...1_000_000)
        }
        mapping.read("keepAliveTimeout", into: &self.keepAliveTimeout) { $0.duration() }
        mapping.read("httpHostHeader", into: &self.httpHostHeader) { $0.fieldValue() }
        mapping.read("originServerName", into: &self.originServerName) { $0.fieldValue() }
        mapping.read("matchSNItoHost", into: &self.matchSNItoHost) { $0.bool() }
        mapping.read("caPool", into: &self.caPool) { $0.isWord("") ? nil : $0.authorityFile() }
        mapping.read("noTLSVerify", into: &self.noTLSVerify) { $0.bool() }
        mapping.read("disableChunkedEncoding", into: &self.disableChunkedEncoding) { $0.bool() }
        mapping.read("http2Origin", into: &self.http2Origin) { $0.bool() }
        mapping.read("bastionMode", into: &self.bastionMode) { $0.bool() }
        mapping.read("proxyType", into: &self.proxyType) { $0.proxyType() }
        mapping.read("ipRules", into: &self.ipRules) { $0.ipRules() }
        self.access.read(mapping)
        self.readHealthCheck(mapping.take("healthCheck"))
        Self.checkAccess(mapping.take("access"))
        mapping.ignore(Self.inapplicable)
        mapping.finish()
    }

    /// A required login that is dropped would open what was closed, so it is refused.
    private static func checkAccess(_ value: ConfigurationValue?) {
        guard let value, let mapping = value.mapping() else { return }
        let required = mapping.take("required")
        if required?.bool() == true {
            required?.report(
                "Culvert cannot check Cloudflare Access tokens, and serving this without them would "
                    + "open it to everybody; remove `access` only if that is meant"
            )
        }
        _ = (mapping.take("teamName"), mapping.take("audTag"), mapping.take("environment"))
        mapping.finish()
        if required == nil { value.notice("ignored: `required` is not set, so nothing is checked") }
    }
}

extension ConfigurationValue {
    /// A time limit, of which 0 is none, as in cloudflared.
    fileprivate func timeout() -> Duration? {
        self.duration().map { $0 == .zero ? maximumDuration : $0 }
    }

    /// Text that can stand in a header field or a certificate: printable ASCII without spaces.
    func fieldValue() -> String? {
        guard let text = self.string() else { return nil }
        guard !text.isEmpty else { return nil }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            self.report("expected a host name, found \"\(text)\"")
            return nil
        }
        return text
    }
}
