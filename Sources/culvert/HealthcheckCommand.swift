import ArgumentParser
import ConfigurationFile
import Foundation

/// `culvert healthcheck`: for containers, which have no curl.
struct HealthcheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Ask the edge or connector that runs here whether it is ready.",
        discussion: """
            Exits with 0 when it is: an edge when it takes visitors, a connector when it is connected to its \
            edge, with each of its tunnels. Asks at ADDRESS; without one where a connector has its metrics, $CULVERT_METRICS or \
            127.0.0.1:20241, and if nothing is there where an edge has them by default, 127.0.0.1:9090.

            For a HEALTHCHECK of Docker or a probe of Kubernetes.
            """
    )

    /// Where cloudflared has a connector's status pages in a container, and an edge has its by default.
    private static let usual = (connector: "127.0.0.1:20241", edge: "127.0.0.1:9090")

    @Argument(help: "HOST:PORT of the metrics listener.")
    var address: String?

    @Option(help: "How long to wait for an answer, in seconds.")
    var timeout = 5

    func validate() throws {
        guard (1...3600).contains(self.timeout) else {
            throw ValidationError("--timeout is 1 to 3600 seconds.")
        }
    }

    func run() throws {
        let variable = ProcessInfo.processInfo.environment["CULVERT_METRICS"] ?? ""
        let connector = variable.isEmpty ? Self.usual.connector : variable
        var problems: [String] = []
        for text in self.address.map({ [$0] }) ?? [connector, Self.usual.edge] {
            let address: HostPort
            do {
                address = try HostPort(text)
            } catch {
                throw Failure("The address of the metrics listener: \(error.message).", .usage)
            }
            let answer: StatusProbe.Answer
            do {
                answer = try StatusProbe(address: address, seconds: self.timeout).readiness()
            } catch {
                problems.append("\(address): \(error.message)")
                continue
            }
            guard answer.status == 200 else {
                throw Failure("\(address) says \(answer.status): \(answer.body)")
            }
            return print(answer.body)
        }
        throw Failure("Nothing answers. " + problems.joined(separator: "; "))
    }
}
