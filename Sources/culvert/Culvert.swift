import ArgumentParser
import ControlClient
import Foundation

/// The command `culvert`: arguments in, exit code out.
@main
struct Culvert: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert",
        abstract:
            "Carries HTTP and TCP out from under a firewall, through a tunnel whose both ends are yours.",
        discussion: """
            A connector inside a private network dials an edge, outbound only; the edge routes \
            visitors' requests to it by hostname.

            Try it on this machine, in two terminals:
              culvert edge dev          starts a throw-away edge
              culvert http 3000         makes localhost:3000 reachable through it

            With an account at an edge:
              culvert login https://edge.example.com
              culvert http 3000         at once, with a name of the edge's choice
              culvert tcp 22            the same for TCP, at a port of the edge
              culvert tunnel create demo
              culvert tunnel route dns demo app.example.com
              culvert tunnel run demo --url http://localhost:3000

            Your own edge: `culvert edge run` on a public host. A tunnel that its file declares needs \
            no account: `culvert tunnel keygen`.

            Logins and tunnels are kept in ~/.culvert, or in $CULVERT_HOME. The edge's API is asked \
            through $HTTPS_PROXY when it is set, but for $NO_PROXY.

            `culvert --generate-completion-script bash` (zsh, fish) prints what completes commands in a shell.

            Exit codes: 0 it is done; 1 it failed; 3 you are not logged in; 4 there is no such tunnel, \
            hostname, account or key; 5 a hostname's DNS record was not made; 64 the arguments or the \
            environment are wrong; 77 the edge refuses the connector for good; 78 a file is missing or wrong. \
            After 64 and 78 a service is not started again.
            """,
        version: buildVersion,
        subcommands: [
            LoginCommand.self, LogoutCommand.self, HTTPCommand.self, TCPCommand.self,
            TunnelCommand.self, TailCommand.self,
            AccessCommand.self, AccountCommand.self, AuditCommand.self, EdgeCommand.self,
            ServiceCommand.self, HealthcheckCommand.self,
        ]
    )

    /// Runs the command that the arguments name, and exits as it ended.
    static func main() async {
        do {
            var command = await Self.parsed()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            try finishStandardOutput()
        } catch let failure as Failure {
            Self.end(failure)
        } catch let error as ControlClientError {
            Self.end(Failure(error))
        } catch {
            Self.exit(withError: error)
        }
    }

    /// The command that the arguments name; ends the process where they are wrong, or ask for help.
    private static func parsed() async -> any ParsableCommand {
        let words = Array(ProcessInfo.processInfo.arguments.dropFirst())
        do {
            return try await Self.asyncParseAsRoot(FamiliarArguments.translated(words))
        } catch {
            if Self.exitCode(for: error) == .validationFailure,
                let advice = FamiliarHint.advice(on: words)
            {
                note("Error: \(Self.message(for: error))\n\(advice)")
                flushStandardOutput()
                Foundation.exit(Failure.Code.usage.rawValue)
            }
            Self.exit(withError: error)
        }
    }

    private static func end(_ failure: Failure) -> Never {
        note("Error: \(failure)")
        flushStandardOutput()
        Foundation.exit(failure.code.rawValue)
    }
}

/// The version this was built as.
let buildVersion = "0.1.0"
