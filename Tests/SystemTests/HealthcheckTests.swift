import Foundation
import Testing

extension SystemTests {
    /// What a container is asked for its health with, and what its image runs without arguments.
    @Suite(.timeLimit(.minutes(1))) struct Healthcheck {
        private func check(
            _ port: Int,
            in directory: TemporaryDirectory,
            byVariable: Bool = false
        ) throws -> Finished {
            let address = "127.0.0.1:\(port)"
            return try Finished(
                "/usr/bin/env",
                byVariable
                    ? ["CULVERT_METRICS=\(address)", Programs.culvert, "healthcheck"]
                    : [Programs.culvert, "healthcheck", address],
                in: directory
            )
        }

        @Test("an edge and a connector are ready, and a connector without its edge is not")
        func ready() throws {
            let directory = try TemporaryDirectory()
            let ports = try [freePort(), freePort()]
            let none = try self.check(ports[0], in: directory)
            #expect(none.status == 1 && none.errors.contains("Connection refused"))
            let edge = try ManagedProcess(
                Programs.culvert,
                [
                    "edge", "dev", "--dir", directory.file("dev"), "--https", "127.0.0.1:0",
                    "--http", "off", "--metrics", "127.0.0.1:\(ports[0])",
                ],
                in: directory
            )
            try edge.line("Edge for development")
            let answer = try self.check(ports[0], in: directory)
            #expect(answer.status == 0 && answer.output == "ready\n", "\(answer.errors)")
            let connector = try ManagedProcess(
                "/usr/bin/env",
                [
                    "CULVERT_METRICS=127.0.0.1:\(ports[1])", Programs.culvert, "http",
                    "hello_world", "--dir", directory.file("dev"),
                ],
                in: directory
            )
            try connector.line("^https://")
            let ready = try self.check(ports[1], in: directory, byVariable: true)
            #expect(ready.status == 0, "\(ready.errors)")
            edge.killNow()
            try waitFor("a connector that is not ready") {
                let answer = try self.check(ports[1], in: directory)
                return answer.status == 1 && answer.errors.contains(" says 503: ") ? true : nil
            }
        }

        @Test("a connector without anything says what is missing, and fails")
        func nothing() throws {
            let directory = try TemporaryDirectory()
            let home = directory.file("home")
            let bare = try Finished(
                "/usr/bin/env",
                ["-i", "HOME=\(home)", "CULVERT_HOME=\(home)", Programs.culvert, "tunnel", "run"],
                in: directory
            )
            #expect(bare.status == 64)
            #expect(bare.errors.contains("--config") && bare.errors.contains("CULVERT_TOKEN"))
        }
    }
}
