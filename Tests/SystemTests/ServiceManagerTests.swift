import Foundation
import Glibc
import Testing

extension SystemTests {
    /// What a service manager is told, as sd_notify(3) has it.
    @Suite(.timeLimit(.minutes(1))) struct ServiceManager {
        /// Starts culvert as a service with a watchdog of half a second.
        private func start(
            _ arguments: [String],
            _ socket: NotifySocket,
            _ environment: [String] = [],
            in directory: TemporaryDirectory
        ) throws -> ManagedProcess {
            try ManagedProcess(
                "/usr/bin/env",
                ["NOTIFY_SOCKET=\(socket.name)", "WATCHDOG_USEC=500000"] + environment
                    + [Programs.culvert] + arguments,
                in: directory
            )
        }

        @Test("an edge is ready when it listens, keeps the watchdog quiet, and says that it stops")
        func edge() throws {
            let deployment = try Deployment(settings: "grace-period: 7s")
            deployment.edge.killNow()
            let socket = try NotifySocket(deployment.directory.file("notify"))
            let edge = try self.start(
                ["edge", "run", "--config", deployment.directory.file("edge.yml")],
                socket,
                in: deployment.directory
            )
            try socket.line("READY=1")
            #expect(
                try socket.line("STATUS=") == "STATUS=Listening on 127.0.0.1:\(deployment.port)"
            )
            #expect(connectedSocket(port: deployment.port).map { close($0) } == 0)
            try socket.line("WATCHDOG=1", times: 3)
            #expect(!socket.lines.contains("STOPPING=1"))
            edge.signal(SIGTERM)
            try socket.line("STOPPING=1")
            #expect(socket.lines.contains("EXTEND_TIMEOUT_USEC=12000000"))
            #expect(try edge.exit() == 0)
        }

        @Test("a connector is ready without a network, and says in words how it stands")
        func connector() throws {
            let deployment = try Deployment()
            deployment.edge.killNow()
            let socket = try NotifySocket("@culvert-\(UUID().uuidString)")
            let file = try deployment.directory.write(
                """
                tunnel: demo
                credentials-file: demo.json
                edge: connect.example.test:\(deployment.port)
                edge-address: 127.0.0.1:\(deployment.port)
                ca-file: \(deployment.certificates.authority)
                ingress: [{service: http_status:404}]

                """,
                to: "config.yml"
            )
            let connector = try self.start(
                ["tunnel", "run", "--config", file],
                socket,
                in: deployment.directory
            )
            try socket.line("READY=1")
            let address = "127.0.0.1:\(deployment.port)"
            #expect(try socket.line("STATUS=") == "STATUS=Dialling \(address)")
            try socket.line("STATUS=Dialling \(address); the last try: ")
            try deployment.restartEdge()
            try socket.line("STATUS=Connected to edge \(address)")
            try socket.line("WATCHDOG=1", times: 3)
            connector.signal(SIGTERM)
            try socket.line("STOPPING=1")
            try socket.line("EXTEND_TIMEOUT_USEC=35000000")
            #expect(try connector.exit() == 0)
        }

        @Test(
            "a watchdog of another process, or none, is not fed; a socket that is not there is no harm"
        )
        func others() throws {
            let deployment = try Deployment()
            deployment.edge.killNow()
            let socket = try NotifySocket(deployment.directory.file("notify"))
            let arguments = ["edge", "run", "--config", deployment.directory.file("edge.yml")]
            let other = try self.start(
                arguments,
                socket,
                ["WATCHDOG_PID=1"],
                in: deployment.directory
            )
            try socket.line("READY=1")
            other.signal(SIGTERM)
            try socket.line("STOPPING=1")
            #expect(try other.exit() == 0)
            #expect(!socket.lines.contains("WATCHDOG=1"))
            for name in [deployment.directory.file("nowhere"), "relative", "@"] {
                let edge = try ManagedProcess(
                    "/usr/bin/env",
                    ["NOTIFY_SOCKET=\(name)", Programs.culvert] + arguments,
                    in: deployment.directory
                )
                try edge.line("Edge started")
                edge.signal(SIGTERM)
                #expect(try edge.exit() == 0)
            }
        }
    }
}
