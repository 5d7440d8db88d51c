import Foundation
import Testing

extension SystemTests {
    /// The connector does not trust its edge: one that breaks WebSocket is left, and dialled again.
    @Suite struct HostileEdge {
        @Test(
            "an edge that breaks WebSocket cannot bring a connector down",
            arguments: [
                "endless-frame", "endless-fragment", "endless-text", "long-message",
                "bad-challenge", "unknown-version", "frame-after-challenge", "control-too-long",
                "reserved-bits", "close-then-more",
            ]
        )
        func brokenWebSocket(mode: String) throws {
            let directory = try TemporaryDirectory()
            let certificates = try Certificates.shared.get()
            _ = try Deployment.keygen("demo", in: directory)
            let edge = try ManagedProcess(
                Programs.python,
                [
                    Programs.script("hostile_edge.py"), certificates.edge.certificate,
                    certificates.edge.key, mode,
                ],
                in: directory
            )
            let port = try edge.line("^[0-9]+$")
            let file = try directory.write(
                """
                tunnel: demo
                credentials-file: demo.json
                edge: connect.example.test:\(port)
                edge-address: 127.0.0.1:\(port)
                ca-file: \(certificates.authority)
                ingress: [{service: http_status:404}]

                """,
                to: "config.yml"
            )
            let connector = try ManagedProcess(
                Programs.culvert,
                ["tunnel", "run", "--config", file],
                in: directory
            )
            // It comes back for more: the first dose did it no harm, nor the second.
            try edge.line("dosed", skipping: 2, within: 40)
            #expect(connector.exitStatus() == nil, "\(connector.said)")
            #expect(!connector.said.contains("Connected to the edge"))
            let resident = connector.residentBytes
            #expect(resident < 200 << 20, "\(resident) bytes")
            connector.signal(SIGTERM)
            #expect(try connector.exit() == 0, "\(connector.said)")
        }
    }
}
