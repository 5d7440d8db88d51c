import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertConnector
import CulvertDNS
import CulvertDiagnostics
import Foundation
import TunnelTransport

/// What `culvert tunnel diag` gathers, part by part: one that fails says why in its own file.
struct Diagnosis {
    private let command: TunnelDiagCommand
    private let plan: Result<ConnectorPlan, any Error>
    private let session: Result<LoggedIn, any Error>
    private let configFile: String?
    private var mask = SecretMask()
    private var parts: [(file: String, text: String)] = []
    private var summary: [String] = []

    init(_ command: TunnelDiagCommand) {
        self.command = command
        self.configFile = command.configFile.fileIfAny()
        self.plan = Result {
            try ConnectorPlan(
                ConnectorTerms(
                    name: command.name,
                    config: command.configFile.config,
                    source: command.source
                )
            )
        }
        self.session = Result { try LoggedIn() }
        self.learnSecrets()
    }

    /// Gathers everything; takes as long as what it asks does, a minute at most.
    mutating func gather() async {
        await self.part("about.txt") { $0.about() }
        await self.part("configuration.yml") { try $0.configuration() }
        await self.part("ingress.txt") { try $0.ingress() }
        await self.part("plan.txt") { try $0.planned() }
        await self.part("dns.txt") { try $0.providers() }
        await self.part("connectivity.txt") { try await $0.connectivity() }
        await self.part("api.txt") { try await $0.api() }
        await self.part("tunnel.json") { try await $0.tunnel() }
        await self.part("metrics.txt") { try await $0.page("metrics") }
        await self.part("ready.txt") { try await $0.page("ready") }
        await self.part("processes.txt") { $0.processes() }
        await self.part("limits.txt") { _ in SystemFacts.limits() }
        await self.part("environment.txt") { _ in
            SystemFacts.environment(ProcessInfo.processInfo.environment).joined(separator: "\n")
                + "\n"
        }
        await self.part("service.txt") { await $0.service() }
        await self.part("journal.txt") { try await $0.journal() }
    }

    /// The zip; every text goes through the mask, with all that was learned by now.
    ///
    /// - Throws: `ZipArchive.TooLarge`.
    func archive(_ moment: Date) throws -> [UInt8] {
        var archive = ZipArchive(moment: moment)
        let summary = self.summary.joined(separator: "\n") + "\n"
        for (file, text) in [("summary.txt", summary)] + self.parts {
            try archive.add(file, Array(self.mask.masked(text).utf8))
        }
        return archive.bytes
    }

    private mutating func part(
        _ file: String,
        _ gather: (inout Diagnosis) async throws -> String
    ) async {
        do {
            let text = try await gather(&self)
            self.parts.append((file, text))
            self.summary.append("\(file): there")
        } catch {
            self.parts.append((file, "This part could not be had:\n\(error)\n"))
            self.summary.append("\(file): could not be had")
        }
    }

    // MARK: Secrets

    /// Learns all secrets that this process can get at, so that they are found wherever they stand.
    private mutating func learnSecrets() {
        let environment = ProcessInfo.processInfo.environment
        for name in ["CULVERT_TOKEN", "CULVERT_ENROLMENT"] {
            let secrets = (environment[name] ?? "").split(whereSeparator: \.isWhitespace)
            for secret in secrets { self.mask.learn(String(secret)) }
        }
        if let login = environment["CULVERT_BASIC_AUTH"] {
            self.mask.learn(login)
            self.mask.learn(String(login.drop { $0 != ":" }.dropFirst()))
        }
        if let token = self.command.source.token { self.mask.learn(token) }
        if case .success(let session) = self.session { self.mask.learn(session.login.token) }
        if case .success(let plan) = self.plan {
            self.mask.learn(plan.credentials.privateKey.base64EncodedString())
        }
        let tokenFiles = self.command.source.tokenFile
        var files: [String?] = [self.command.source.credentialsFile] + tokenFiles
        if let configFile, let text = try? ConfigurationReader.text(ofFile: configFile) {
            // Also when something else is wrong with the file.
            let root = ConfigurationReader(file: configFile).root(of: text)
            files += ["credentials-file", "cred-file"].map { root.take($0)?.filePath() }
        }
        let directory = ConfigurationDirectory.usual
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        files += names.filter { $0.hasSuffix(".json") }.map { directory.file($0) }
        for file in files.compactMap(\.self) {
            guard let data = Self.contents(file) else { continue }
            self.mask.learn(json: data)
            let text = String(decoding: data, as: UTF8.self)
            if tokenFiles.contains(file) { self.mask.learn(text) }
        }
        let providers = (try? DNSProviders.load(file: RecordDesk.file))?.providers ?? []
        for case .nsupdate(_, let keyFile?) in providers.map(\.method) {
            guard let data = Self.contents(keyFile) else { continue }
            self.mask.learn(keyFile: String(decoding: data, as: UTF8.self))
        }
    }

    private static func contents(_ file: String) -> Data? {
        guard file != "-" else { return nil }
        return try? PrivateFile.read(file, maximumBytes: 256 << 10)
    }

    // MARK: This machine

    private mutating func about() -> String {
        let arguments = self.mask.masked(arguments: ProcessInfo.processInfo.arguments)
        let lines =
            [
                "culvert: \(buildVersion)", "time: \(Date().formatted(.iso8601))",
                "arguments: \(arguments)",
            ] + SystemFacts.machine()
        return lines.map(printable).joined(separator: "\n") + "\n"
    }

    private mutating func processes() -> String {
        var text = ""
        for (pid, arguments) in SystemFacts.processes() {
            text += "\(pid): \(self.mask.masked(arguments: arguments))\n"
        }
        return text
    }

    private mutating func configuration() throws -> String {
        guard let configFile else { throw Failure("There is no configuration file.") }
        let text = try ConfigurationReader.text(ofFile: configFile)
        return "# \(configFile)\n" + self.mask.masked(yaml: text)
    }

    private func ingress() throws -> String {
        guard let configFile else { throw Failure("There is no configuration file.") }
        var text = IngressCommands.validate(file: configFile).text + "\n"
        if let read = try? ConnectorConfiguration.load(file: configFile), read.hasIngress {
            for (number, rule) in read.ingress.rules.enumerated() {
                text += "\n#\(number)\n\(rule.multiLineDescription)\n"
            }
        }
        return text
    }

    /// What `culvert tunnel run` would do.
    private func planned() throws -> String {
        let plan = try self.plan.get()
        let edge = plan.options.edge
        let lines =
            [
                "tunnel: \(plan.credentials.tunnelName) (\(plan.credentials.tunnelID ?? "no id"))",
                "edge: \(edge.target.hostname):\(edge.target.port)",
                "dialled: \(HostPort(host: edge.dialHost, port: Int(edge.dialPort)))",
                "rules: \(plan.rulesFile?.path ?? "the edge's")",
            ] + plan.notices.map { "notice: \($0)" }
        return lines.map(printable).joined(separator: "\n") + "\n"
    }

    /// Not the file's text: a hook's arguments may be secrets, and look like nothing.
    private func providers() throws -> String {
        let lines = try DNSProviders.load(file: RecordDesk.file).providers.map { provider in
            let method =
                switch provider.method {
                case .nsupdate(let server, let keyFile):
                    "nsupdate at \(server.map { "\($0)" } ?? "its primary"), key-file "
                        + (keyFile ?? "none")
                case .hook(let words):
                    "hook \(words.first ?? "") with \(words.count - 1) arguments"
                }
            return "\(provider.zone): \(method), ttl \(provider.ttlSeconds), timeout "
                + provider.timeout.written
        }
        let list = lines.isEmpty ? ["none"] : lines
        return "\(RecordDesk.file):\n" + list.map(printable).joined(separator: "\n") + "\n"
    }

    private func service() async -> String {
        let unit = self.command.service.unit
        let words = ["show", unit, "--no-pager", "-p"]
        let keys = "LoadState,ActiveState,SubState,StatusText,NRestarts,Result,ExecMainStatus"
        let call = ProgramCall("systemctl", words + [keys], timeout: .seconds(10))
        let end = await ChildProgram.capture(call)
        return "\(unit)\n\(end.output)\(end.errors)\(Self.ending(end))\n"
    }

    private func journal() async throws -> String {
        let unit = self.command.service.unit
        let words = ["-u", unit, "-n", "500", "--no-pager", "-o", "short-iso"]
        let call = ProgramCall("journalctl", words, timeout: .seconds(20))
        let end = await ChildProgram.capture(call, maximumBytes: 1 << 20)
        guard end.cause == .exited(0) else {
            throw Failure("journalctl of \(unit): \(end.errors)\(Self.ending(end))")
        }
        return end.output + end.errors
    }

    private static func ending(_ end: ProgramEnd) -> String {
        switch end.cause {
        case .exited(0): ""
        case .exited(let status): "it ended with \(status)"
        case .signalled(let signal): "it was ended by signal \(signal)"
        case .timedOut: "it did not end in time"
        case .notStarted(let code): "it cannot be run: \(String(cString: strerror(code)))"
        }
    }

    // MARK: The edge

    /// Where the connector would dial, or, without one, where the API is.
    private func edge() throws -> (name: String, dialled: HostPort, authorities: [String]) {
        switch self.plan {
        case .success(let plan):
            let edge = plan.options.edge
            let file = plan.configuration.caFile.flatMap {
                try? String(contentsOfFile: $0, encoding: .utf8)
            }
            return (
                edge.target.hostname, HostPort(host: edge.dialHost, port: Int(edge.dialPort)),
                [file ?? plan.credentials.caCertificates].compactMap(\.self)
            )
        case .failure(let failure):
            guard case .success(let session) = self.session else { throw failure }
            let login = session.login
            let file = login.caFile.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) }
            let own = HostPort(host: login.edge.host, port: login.edge.port)
            return (login.edge.host, login.edgeAddress ?? own, [file].compactMap(\.self))
        }
    }

    private func connectivity() async throws -> String {
        let (name, dialled, authorities) = try self.edge()
        var lines = ["The edge \(name), dialled at \(dialled), without any proxy:"]
        let start = ContinuousClock.now
        var addresses: [String] = []
        do {
            addresses = try await NameLookup.addresses(of: dialled.host)
            lines.append("DNS  \(dialled.host): \(addresses.joined(separator: ", "))")
        } catch {
            lines.append("DNS  \(dialled.host): \(error)")
        }
        lines[lines.count - 1] += " (\((ContinuousClock.now - start) / .milliseconds(1)) ms)"
            .replacing(/\.\d+/, with: "")
        let probe = EdgeProbe(serverName: name, authorities: authorities)
        var reached: String?
        for address in addresses.prefix(8) {
            let (line, succeeded) = await probe.connect(address, port: dialled.port)
            lines.append(line)
            if succeeded, reached == nil { reached = address }
        }
        if let reached { lines += await probe.handshake(reached, port: dialled.port) }
        return lines.map(printable).joined(separator: "\n") + "\n"
    }

    private func api() async throws -> String {
        let session = try self.session.get()
        var options = try session.login.clientOptions()
        options.timeout = .seconds(15)
        let start = ContinuousClock.now
        let edge = try await ControlClient.with(options) { try await $0.edge() }
        let elapsed = "\((ContinuousClock.now - start) / .milliseconds(1)) ms"
        let proxy = options.proxy.map { ", through the proxy \($0)" } ?? ""
        return "\(session.login.edge) answered in \(elapsed)\(proxy):\n\(try Self.json(edge))\n"
    }

    private func tunnel() async throws -> String {
        let session = try self.session.get()
        var options = try session.login.clientOptions()
        options.timeout = .seconds(15)
        let own = try? self.plan.get().credentials
        guard let name = self.command.name ?? own.map({ $0.tunnelID ?? $0.tunnelName }) else {
            throw Failure("Nothing says which tunnel: name it.")
        }
        return try await ControlClient.with(options) { client in
            try Self.json(try await client.tunnel(name)) + "\n"
        }
    }

    private static func json(_ document: some Encodable) throws -> String {
        let encoder = APICoding.encoder
        encoder.outputFormatting.insert(.prettyPrinted)
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    /// A page of the running connector.
    private func page(_ path: String) async throws -> String {
        let read = try self.configFile.map { try ConnectorConfiguration.load(file: $0) }
        guard var address = read?.metrics else {
            throw Failure("`metrics` is not in the configuration, so nobody can be asked.")
        }
        guard address.port != 0 else { throw Failure("`metrics` has port 0: nobody knows which.") }
        if ["", "0.0.0.0", "::"].contains(address.host) { address.host = "127.0.0.1" }
        return try await LocalPage.get("http://\(address)/\(path)")
    }
}
