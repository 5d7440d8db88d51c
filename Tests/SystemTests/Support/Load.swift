import Foundation

/// Visitors of all kinds for a while; see Programs/load.py.
struct Load {
    struct Report: Decodable {
        var counts: [String: Int]
        var failures: [String]
        /// The longest time of one visit of each kind, in seconds.
        var slowest: [String: Double]
        /// Which origin answered how many small requests.
        var origins: [String: Int]
    }

    let process: ManagedProcess
    private let seconds: Double

    /// - Parameters:
    ///   - deployment: What to visit.
    ///   - seconds: For how long.
    ///   - kinds: `small=4`, `fresh`, `download`, `upload`, `events`, `websocket`, `http2`.
    /// - Throws: `TestFailure` when it cannot be started.
    init(_ deployment: Deployment, seconds: Double, kinds: [String]) throws {
        self.seconds = seconds
        self.process = try ManagedProcess(
            Programs.python,
            [
                Programs.script("load.py"), Deployment.host, "ws.example.test",
                "\(deployment.port)", deployment.certificates.authority, "\(seconds)",
            ] + kinds,
            in: deployment.directory
        )
    }

    /// Waits until each kind of visit went well once.
    func started() throws { try self.process.line("^started") }

    func report() throws -> Report {
        _ = try self.process.exit(within: self.seconds + 90)
        let line = self.process.output.split(separator: "\n").last.map(String.init) ?? ""
        do {
            return try JSONDecoder().decode(Report.self, from: Data(line.utf8))
        } catch {
            throw TestFailure(self.process.said)
        }
    }
}
