import Foundation
import Testing

extension SystemTests {
    /// A laptop that changes its network.
    @Suite struct NetworkChange {
        @Test(
            "another local address: a new link long before the old one is known to be dead",
            .enabled(if: Namespace.isAvailable, "network namespaces need root"),
            .timeLimit(.minutes(2))
        )
        func anotherAddress() throws {
            let directory = try TemporaryDirectory()
            let namespace = try Namespace(in: directory)
            try namespace.move(to: "10.213.77.2")
            let deployment = try Deployment(at: Namespace.near)
            let connector = try deployment.startConnector(
                ingress: ["{hostname: app.example.test, service: hello_world}"],
                within: namespace.prefix
            )
            #expect(try deployment.curl("/before").status == 200)
            for (number, address) in ["10.213.77.3", "10.213.77.2"].enumerated() {
                try namespace.move(to: address)
                let start = ContinuousClock.now
                let answer = try deployment.curl("/after", ["-d", "not safe to repeat"])
                #expect(answer.status == 200, "\(answer.said)\(deployment.logs(connector))")
                // Liveness alone would take 15 s.
                #expect(seconds(since: start) < 5, "\(deployment.logs(connector))")
                try connector.line("Session resumed", skipping: number)
            }
            #expect(connector.lines("The network has changed") == 2, "\(connector.said)")
            #expect(deployment.edge.lines("Connector connected") == 1, "resumed")
        }
    }
}
