import Foundation
import Glibc
import Testing

extension SystemTests {
    /// Visitors that vanish without a word: on each connection of one, whatever it waits for, the kernel asks
    /// within a minute whether it is still there.
    @Suite(.timeLimit(.minutes(2))) struct KeepAlive {
        /// Seconds until the kernel asks the other end of the edge's connection between two ports, as ss(8)
        /// shows them.
        private func secondsToQuestion(
            on port: Int,
            from visitor: Int,
            _ directory: TemporaryDirectory
        ) throws -> Double {
            let filter = ["sport", "=", ":\(port)", "and", "dport", "=", ":\(visitor)"]
            // What is on its way has a timer of its own, for a moment.
            return try waitFor("the keep-alive timer of port \(port)") {
                let shown = try Finished(
                    "ss",
                    ["-Htno", "state", "established"] + filter,
                    in: directory
                )
                guard shown.status == 0 else { throw TestFailure(shown.errors) }
                guard let time = shown.output.firstMatch(#"timer:\(keepalive,([^,]*),"#),
                    let number = Double(time.prefix { $0.isNumber || $0 == "." })
                else { return nil }
                return number * (time.hasSuffix("min") ? 60 : time.hasSuffix("ms") ? 0.001 : 1)
            }
        }

        @Test("behind an upload that its origin does not take")
        func upload() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            try deployment.startConnector(to: origin)
            let file = deployment.directory.file("large")
            try #require(FileManager.default.createFile(atPath: file, contents: nil))
            try #require(truncate(file, 50 << 20) == 0)
            let port = try freePort()
            let upload = try deployment.beginCurl(
                "/stall/go",
                ["-T", file, "--local-port", "\(port)"]
            )
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            let seconds = try self.secondsToQuestion(
                on: deployment.port,
                from: port,
                deployment.directory
            )
            #expect(seconds <= 60)
            #expect(upload.process.exitStatus() == nil)
        }

        @Test("on a connection without TLS, and at a TCP port")
        func others() throws {
            let deployment = try Deployment(tcpPorts: "127.0.0.1:0")
            let origin = try TCPOrigin(in: deployment.directory)
            let (_, tcpPort) = try deployment.startTCPConnector(to: origin)
            for port in [deployment.plainPort, tcpPort] {
                let visitor = try #require(connectedSocket(port: port))
                defer { close(visitor) }
                let seconds = try self.secondsToQuestion(
                    on: port,
                    from: boundPort(of: visitor),
                    deployment.directory
                )
                #expect(seconds <= 60)
            }
        }
    }
}
