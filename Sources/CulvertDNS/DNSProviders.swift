package import ConfigurationFile
import Glibc
package import HTTPSemantics

/// The file `dns.yml`: who makes the records of which zone.
package struct DNSProviders: Sendable, Equatable {
    /// In the file's order; no zone twice.
    package let providers: [DNSProvider]

    package init(_ providers: [DNSProvider] = []) { self.providers = providers }

    /// The provider of a name: that of the longest zone the name is at or below; nil when there is none.
    package func provider(of name: HostPattern) -> DNSProvider? {
        self.providers.filter { $0.covers(name) }
            .max { $0.zone.name.utf8.count < $1.zone.name.utf8.count }
    }
}

extension DNSProviders {
    /// Reads the file; one that is not there has no providers.
    ///
    /// It names programs that are run, so one that others may write is refused, as ssh does with its own.
    ///
    /// - Throws: that, or everything that is wrong with it.
    package static func load(file: String) throws(ConfigurationProblems) -> Self {
        var status = stat()
        guard stat(file, &status) == 0 else {
            guard errno != ENOENT else { return Self() }
            let message = "cannot be read: \(String(cString: strerror(errno)))"
            throw ConfigurationProblems([.init(file: file, place: nil, key: "", message: message)])
        }
        let isOwn = status.st_uid == geteuid() || status.st_uid == 0
        guard isOwn, status.st_mode & 0o022 == 0 else {
            let message =
                "names programs to run, and others may change it: make it yours, and run "
                + "`chmod 600 \(file)`"
            throw ConfigurationProblems([.init(file: file, place: nil, key: "", message: message)])
        }
        let text = try ConfigurationReader.text(ofFile: file)
        return try self.parse(text, reader: ConfigurationReader(file: file))
    }

    /// Reads the file's text with a fresh reader.
    ///
    /// - Throws: everything that is wrong with it.
    package static func parse(
        _ text: String,
        reader: ConfigurationReader
    ) throws(ConfigurationProblems) -> Self {
        let root = reader.root(of: text)
        let hint = "a list of zones, each with `zone` and `nsupdate` or `hook`"
        var providers: [DNSProvider] = []
        for element in root.require("providers", hint)?.elements() ?? [] {
            guard let mapping = element.mapping() else { continue }
            guard let provider = DNSProvider.read(mapping) else { continue }
            if providers.contains(where: { $0.zone == provider.zone }) {
                element.report("the zone \(provider.zone) has a provider already")
            }
            providers.append(provider)
        }
        root.finish()
        try reader.finish()
        return Self(providers)
    }
}

extension DNSProvider {
    /// Reads one provider; nil when a part that it needs is missing or wrong, which is reported.
    fileprivate static func read(_ mapping: ConfigurationMapping) -> DNSProvider? {
        let zone = mapping.require("zone", "which zone is it, such as example.com?")?.zone()
        let nsupdate = mapping.take("nsupdate")
        let hook = mapping.take("hook")
        var ttlSeconds = 300
        mapping.read("ttl", into: &ttlSeconds) { $0.int(1...604_800) }
        var timeout = Duration.seconds(30)
        mapping.read("timeout", into: &timeout) { $0.duration(.seconds(1) ... .seconds(600)) }
        mapping.finish()
        let method: Method?
        switch (nsupdate, hook) {
        case (let nsupdate?, nil): method = nsupdate.nsupdate()
        case (nil, let hook?): method = hook.hook()
        case (nil, nil):
            let message = "needs `nsupdate: {server: …, key-file: …}` or `hook: [PROGRAM]`"
            mapping.reader.report(mapping.place, mapping.keyPath, message)
            return nil
        case (_?, let hook?):
            hook.report("excludes `nsupdate`: one of both makes the zone's records")
            return nil
        }
        guard let zone, let method else { return nil }
        return DNSProvider(zone: zone, method: method, ttlSeconds: ttlSeconds, timeout: timeout)
    }
}

extension ConfigurationValue {
    fileprivate func zone() -> NormalizedHost? {
        guard let zone = self.hostname() else { return nil }
        guard !zone.isAddress else {
            self.report("is the name of a zone, not an address")
            return nil
        }
        return zone
    }

    fileprivate func nsupdate() -> DNSProvider.Method? {
        guard let mapping = self.mapping() else { return nil }
        var server: HostPort?
        mapping.read("server", into: &server) { $0.server() }
        var keyFile: String?
        mapping.read("key-file", into: &keyFile) { $0.filePath() }
        mapping.finish()
        return .nsupdate(server: server, keyFile: keyFile)
    }

    /// What stands in nsupdate's script has to be one word there.
    private func server() -> HostPort? {
        guard let server = self.hostPort(defaultPort: 53) else { return nil }
        guard !server.host.isEmpty, server.port != 0,
            server.host.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x3B })
        else {
            self.report("needs a host and a port other than 0, found \"\(server)\"")
            return nil
        }
        return server
    }

    fileprivate func hook() -> DNSProvider.Method? {
        guard let elements = self.elements() else { return nil }
        guard let first = elements.first else {
            self.report("needs a program to run")
            return nil
        }
        let words = elements.dropFirst().map { $0.string() }
        guard let program = first.filePath() else { return nil }
        // One without a slash would be looked for in PATH.
        let path = program.contains("/") ? program : "./" + program
        let arguments = words.compactMap { $0 }
        return arguments.count == words.count ? .hook([path] + arguments) : nil
    }
}
