import Foundation

/// An origin that behaves as its path says; see Programs/origin.py.
struct Origin {
    let process: ManagedProcess
    let port: Int
    private let directory: TemporaryDirectory

    /// - Parameters:
    ///   - name: What its answers call it.
    ///   - listen: `0` for a free port, or `unix:PATH`.
    ///   - tls: A certificate and its key; default none, it serves plain HTTP.
    ///   - directory: Where its output goes.
    /// - Throws: `TestFailure` when it does not listen.
    init(
        _ name: String = "origin",
        listen: String = "0",
        tls: (certificate: String, key: String)? = nil,
        in directory: TemporaryDirectory
    ) throws {
        self.directory = directory
        self.process = try ManagedProcess(
            Programs.python,
            [Programs.script("origin.py"), name, listen]
                + (tls.map { [$0.certificate, $0.key] } ?? []),
            in: directory
        )
        self.port = Int(try self.process.line(#"^listening (\d+)"#)) ?? 0
    }

    /// Lets what waits for `token` go on.
    func release(_ token: String) throws { _ = try self.ask("/_release/\(token)") }

    /// Whether the reader of `/cancelled/TOKEN` left, within ten seconds.
    func wasLeft(_ token: String) throws -> Bool { try self.ask("/_wait/\(token)").text == "true" }

    /// Requests that are being answered.
    func openRequests() throws -> [String] {
        try JSONDecoder().decode([String].self, from: self.ask("/_open").body)
    }

    struct Logged: Decodable, Equatable {
        var method: String
        var target: String
    }

    /// The requests that came, through the tunnel or not.
    func log() throws -> [Logged] {
        try JSONDecoder().decode([Logged].self, from: self.ask("/_log").body)
    }

    /// Asks without the tunnel.
    func ask(_ path: String) throws -> Curl {
        try Curl("http://127.0.0.1:\(self.port)\(path)", in: self.directory)
    }
}

/// A WebSocket origin that echoes; see Programs/websocket_origin.py.
struct WebSocketOrigin {
    let process: ManagedProcess
    let port: Int

    init(_ name: String = "origin", in directory: TemporaryDirectory) throws {
        self.process = try ManagedProcess(
            Programs.python,
            [Programs.script("websocket_origin.py"), name],
            in: directory
        )
        self.port = Int(try self.process.line(#"^listening (\d+)"#)) ?? 0
    }
}

/// nginx with one server on loopback, as a single process.
struct Nginx {
    let process: ManagedProcess
    let port: Int

    /// - Parameters:
    ///   - server: What is inside `server {}`, but for `listen`.
    ///   - directory: Where its configuration and its files go.
    /// - Throws: `TestFailure` when it does not answer.
    init(server: String, in directory: TemporaryDirectory) throws {
        self.port = try freePort()
        try directory.write(
            """
            daemon off; master_process off; pid nginx.pid; error_log stderr warn;
            events { worker_connections 512; }
            http {
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                types { text/html html; text/event-stream sse; }
                server {
                    listen 127.0.0.1:\(self.port);
                    \(server)
                }
            }
            """,
            to: "nginx.conf"
        )
        self.process = try ManagedProcess(
            "nginx",
            ["-p", directory.path, "-e", "stderr", "-c", directory.file("nginx.conf")],
            in: directory
        )
        let port = self.port
        let process = self.process
        try waitFor("nginx", explain: { process.said }) {
            try Curl("http://127.0.0.1:\(port)/", in: directory).exit == 0 ? true : nil
        }
    }
}
