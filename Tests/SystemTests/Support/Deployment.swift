import Foundation

/// An edge with real certificates, a tunnel or two, and what connects to them.
///
/// The tunnel `demo` has `app.example.test`, `ws.example.test` and `*.sub.example.test`; `other` has
/// `other.test`, which has a certificate of its own.
final class Deployment {
    static let host = "app.example.test"

    let directory: TemporaryDirectory
    let certificates: Certificates
    private(set) var edge: ManagedProcess
    /// The edge's HTTPS port, the same after a restart.
    private(set) var port: Int
    private(set) var plainPort: Int
    /// Where the edge listens.
    let address: String

    /// Starts an edge.
    ///
    /// - Parameters:
    ///   - settings: Further lines of edge.yml, at top level.
    ///   - limits: Lines of its `limits`, without indentation.
    ///   - hostnames: Those of the tunnel `demo`, as in edge.yml.
    ///   - address: Where it listens.
    ///   - tcpPorts: Its `tcp-ports`.
    /// - Throws: `TestFailure` when it does not start.
    init(
        settings: String = "",
        limits: [String] = [],
        hostnames: String = "\(Deployment.host), ws.example.test, '*.sub.example.test'",
        at address: String = "127.0.0.1",
        tcpPorts: String = "off"
    ) throws {
        self.address = address
        let directory = try TemporaryDirectory()
        let certificates = try Certificates.shared.get()
        self.directory = directory
        self.certificates = certificates
        let demo = try Self.keygen("demo", in: directory)
        let other = try Self.keygen("other", in: directory)
        let file = """
            domain: example.test
            connect: connect.example.test
            listen:
              {https: "\(address):0", http: "\(address):0", metrics: "off", tcp-ports: "\(tcpPorts)"}
            access-log: true
            tls:
              - {certificate: \(certificates.edge.certificate), key: \(certificates.edge.key)}
              - {certificate: \(certificates.other.certificate), key: \(certificates.other.key)}
            tunnels:
              - name: demo
                public-key: \(demo)
                hostnames: [\(hostnames)]
              - {name: other, public-key: \(other), hostnames: [other.test]}
            \(settings)
            limits:
            \((["keep-alive: 75s"] + limits).map { "  " + $0 }.joined(separator: "\n"))

            """
        try directory.write(file, to: "edge.yml")
        (self.edge, self.port, self.plainPort) = try Self.startEdge(directory)
        // The port is kept from now on.
        try directory.write(
            file.replacingOccurrences(
                of: "https: \"\(address):0\"",
                with: "https: \"\(address):\(self.port)\""
            ),
            to: "edge.yml"
        )
    }

    /// Makes credentials `NAME.json` and gives the public key.
    static func keygen(_ name: String, in directory: TemporaryDirectory) throws -> String {
        let made = try Finished(
            Programs.culvert,
            ["tunnel", "keygen", name, "--out", directory.file(name + ".json")],
            in: directory
        )
        let line = made.output.firstMatch(#"public-key: ([A-Za-z0-9+/=]+)"#)
        guard let line else { throw TestFailure("no key: \(made.output)\(made.errors)") }
        return line
    }

    private static func startEdge(
        _ directory: TemporaryDirectory
    ) throws -> (ManagedProcess, Int, Int) {
        let edge = try ManagedProcess(
            Programs.culvert,
            ["edge", "run", "--config", directory.file("edge.yml")],
            in: directory
        )
        let line = try edge.line("^.*Edge started.*$")
        guard let https = line.firstMatch(#"https=[^ ]*:(\d+)"#).flatMap({ Int($0) }),
            let http = line.firstMatch(#"http=[^ ]*:(\d+)"#).flatMap({ Int($0) })
        else { throw TestFailure("no ports in: \(line)") }
        return (edge, https, http)
    }

    /// Starts another edge process at the same port; the one before has to be gone.
    func restartEdge() throws {
        (self.edge, self.port, self.plainPort) = try Self.startEdge(self.directory)
    }

    /// Starts another edge beside the one there is, at a port of its own, and visits it from now on.
    ///
    /// - Returns: the one before, which goes on.
    func replaceEdge() throws -> ManagedProcess {
        let before = self.edge
        let file = self.directory.text("edge.yml").replacingOccurrences(
            of: "https: \"\(self.address):\(self.port)\"",
            with: "https: \"\(self.address):0\""
        )
        try self.directory.write(file, to: "edge.yml")
        try self.restartEdge()
        return before
    }

    /// Starts a connector and waits until it is connected.
    ///
    /// - Parameters:
    ///   - tunnel: Whose credentials it uses.
    ///   - ingress: The rules, as lines of YAML, without the last that takes everything.
    ///   - port: The port it dials, if not the edge's own.
    ///   - settings: Further lines of config.yml, at top level.
    ///   - waits: Whether to wait until it is connected.
    ///   - prefix: A command that runs the connector, such as `nsenter`.
    /// - Returns: its process.
    /// - Throws: `TestFailure` when it does not connect.
    @discardableResult
    func startConnector(
        _ tunnel: String = "demo",
        ingress: [String],
        through port: Int? = nil,
        settings: String = "",
        waits: Bool = true,
        within prefix: [String] = []
    ) throws -> ManagedProcess {
        let file = try self.configure(tunnel, ingress: ingress, through: port, settings: settings)
        let command =
            prefix + [Programs.culvert, "tunnel", "run", "--config", file, "--log-level", "debug"]
        let connector = try ManagedProcess(
            command[0],
            Array(command.dropFirst()),
            in: self.directory
        )
        if waits { try connector.line("Connected to the edge") }
        return connector
    }

    /// Writes a connector's configuration file and gives its path; see ``startConnector``.
    func configure(
        _ tunnel: String,
        ingress: [String],
        through port: Int? = nil,
        settings: String = ""
    ) throws -> String {
        let rules = (ingress + ["{service: http_status:404}"]).map { "  - " + $0 }
        return try self.directory.write(
            """
            tunnel: \(tunnel)
            credentials-file: \(tunnel).json
            edge: connect.example.test:\(self.port)
            edge-address: \(self.address):\(port ?? self.port)
            ca-file: \(self.certificates.authority)
            \(settings)
            ingress:
            \(rules.joined(separator: "\n"))

            """,
            to: "config-\(UUID().uuidString.prefix(6)).yml"
        )
    }

    /// One process with a tunnel for each file; it is connected with all of them.
    func startConnector(
        files: [String],
        _ arguments: [String] = [],
        _ environment: [String] = []
    ) throws -> ManagedProcess {
        let connector = try ManagedProcess(
            "/usr/bin/env",
            environment + [Programs.culvert, "tunnel", "run", "--log-level", "debug"]
                + files.flatMap { ["--config", $0] } + arguments,
            in: self.directory
        )
        try connector.line("Connected to the edge", skipping: files.count - 1)
        return connector
    }

    /// A connector whose every request goes to `origin`, but WebSockets at `ws.example.test`.
    @discardableResult
    func startConnector(
        to origin: Origin,
        websockets: Int? = nil,
        through port: Int? = nil,
        within prefix: [String] = []
    ) throws -> ManagedProcess {
        var rules: [String] = []
        if let websockets {
            rules.append("{hostname: ws.example.test, service: 'ws://127.0.0.1:\(websockets)'}")
        }
        rules.append("{service: 'http://127.0.0.1:\(origin.port)'}")
        // The last rule takes everything already.
        return try self.startConnector(
            ingress: Array(rules.dropLast()) + [
                "{hostname: '*.example.test', service: 'http://127.0.0.1:\(origin.port)'}",
                "{hostname: '*.sub.example.test', service: 'http://127.0.0.1:\(origin.port)'}",
            ],
            through: port,
            within: prefix
        )
    }

    /// `culvert tcp` for the tunnel `demo`, at an edge with `tcpPorts`.
    ///
    /// - Returns: its process, and the port of the edge that it was given.
    func startTCPConnector(to origin: TCPOrigin) throws -> (connector: ManagedProcess, port: Int) {
        try self.directory.write(
            """
            tunnel: demo
            credentials-file: demo.json
            edge: connect.example.test:\(self.port)
            edge-address: \(self.address):\(self.port)
            ca-file: \(self.certificates.authority)

            """,
            to: "connector.yml"
        )
        let connector = try ManagedProcess(
            Programs.culvert,
            ["tcp", "127.0.0.1:\(origin.port)", "--dir", self.directory.path],
            in: self.directory
        )
        let announced = try connector.line(#"^tcp://127.0.0.1:(\d+)$"#)
        guard let port = Int(announced) else { throw TestFailure("no port: \(announced)") }
        return (connector, port)
    }

    /// A visit with curl.
    func curl(
        _ path: String,
        host: String = Deployment.host,
        _ arguments: [String] = [],
        within seconds: Double = 30
    ) throws -> Curl {
        try Curl(
            "https://\(host):\(self.port)\(path)",
            [
                "--cacert", self.certificates.authority, "--resolve",
                "*:\(self.port):\(self.address)",
            ]
                + arguments,
            in: self.directory,
            within: seconds
        )
    }

    /// A visit with curl that goes on while the test does.
    func beginCurl(
        _ path: String,
        host: String = Deployment.host,
        _ arguments: [String] = [],
        input: String = "/dev/null",
        output: String? = nil
    ) throws -> Curl.Running {
        try Curl.Running(
            "https://\(host):\(self.port)\(path)",
            [
                "--cacert", self.certificates.authority, "--resolve",
                "*:\(self.port):\(self.address)",
            ]
                + arguments,
            in: self.directory,
            input: input,
            output: output
        )
    }

    /// What both ends said, for a failure's text.
    func logs(_ processes: ManagedProcess...) -> String {
        ([self.edge] + processes).map(\.said).joined(separator: "\n")
    }
}

extension String {
    /// The first group of the first match.
    func firstMatch(_ pattern: String) -> String? {
        guard let expression = try? NSRegularExpression(pattern: pattern),
            let match = expression.firstMatch(
                in: self,
                range: NSRange(self.startIndex..., in: self)
            ),
            let range = Range(match.range(at: 1), in: self)
        else { return nil }
        return String(self[range])
    }
}
