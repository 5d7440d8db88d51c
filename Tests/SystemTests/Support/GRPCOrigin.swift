import Foundation

/// A gRPC server; see Programs/grpc_origin.py.
struct GRPCOrigin {
    let process: ManagedProcess
    /// The ingress service that names it.
    let service: String

    /// How it is spoken to.
    enum Transport: String, CaseIterable {
        /// HTTP/2 by prior knowledge.
        case http
        /// HTTP/2 as ALPN agrees.
        case https
        case unix
    }

    /// - Parameters:
    ///   - transport: How it is spoken to.
    ///   - age: After how many milliseconds its connections are told to go away; 0 for never.
    ///   - certificates: For `https`.
    ///   - directory: Where its output, and its socket, go.
    /// - Throws: `TestFailure` when it does not listen.
    init(
        _ transport: Transport = .http,
        age: Int = 0,
        certificates: Certificates,
        in directory: TemporaryDirectory
    ) throws {
        let socket = directory.file("grpc.sock")
        var arguments = [transport == .unix ? "unix:\(socket)" : "127.0.0.1:0", "\(age)"]
        if transport == .https {
            arguments += [certificates.origin.certificate, certificates.origin.key]
        }
        self.process = try ManagedProcess(
            Programs.python,
            [Programs.script("grpc_origin.py")] + arguments,
            in: directory
        )
        let port = try self.process.line(#"^listening (\d+)"#)
        switch transport {
        case .http: self.service = "http://127.0.0.1:\(port)"
        case .https: self.service = "https://localhost:\(port)"
        case .unix: self.service = "unix:\(socket)"
        }
    }
}
