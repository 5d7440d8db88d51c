import Foundation

/// `tcp_origin.py`.
struct TCPOrigin {
    let port: Int
    let process: ManagedProcess

    /// Starts it.
    ///
    /// - Throws: `TestFailure` when it does not come up.
    init(in directory: TemporaryDirectory) throws {
        self.process = try ManagedProcess(
            Programs.python,
            [Programs.script("tcp_origin.py")],
            in: directory
        )
        guard let port = Int(try self.process.line(#"^port (\d+)$"#)) else {
            throw TestFailure("no port: \(self.process.said)")
        }
        self.port = port
    }
}
