import ArgumentParser
import CulvertConnector
import Foundation

/// `culvert http`: one origin, one hostname, at once.
struct HTTPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http",
        abstract: "Make a local web service reachable through an edge, at once.",
        discussion: """
            Prints the public URL, alone on a line, once visitors can reach it, and stays up until \
            Ctrl-C. It uses the edge that you are logged in to, over a tunnel of this machine's own, \
            http-MACHINE; with --dir, or without a login, the edge that `culvert edge dev` runs here.

            Examples:
              culvert http 3000
              culvert http localhost:3000 --hostname shop --keep
              culvert http https://10.0.0.5:8443
              culvert http unix:/run/app.sock
              culvert http 3000 --basic-auth ann:correct-horse --cidr-allow 203.0.113.0/24
            """
    )

    @Argument(
        help:
            "3000, HOST[:PORT], http(s)://HOST[:PORT], unix:/PATH, hello_world or http_status:404."
    )
    var origin: String

    @Option(
        help: """
            The name to be reached by, a whole hostname or a label below the edge's domain, or below the \
            first suffix that you were granted; a random one when not given.
            """
    )
    var hostname: String?

    @Flag(
        name: .customLong("keep"),
        help: ArgumentHelp(
            "Keep the name for your account: nobody else can have it, also while this does not run.",
            discussion: """
                Without --hostname it is the same name each time for the same service of this machine. On \
                another machine, --hostname brings it there.
                """
        )
    )
    var isKept = false

    @Option(
        help: ArgumentHelp(
            "Ask visitors for a name and password (may be repeated). $CULVERT_BASIC_AUTH keeps it out of ps.",
            valueName: "user:password"
        )
    )
    var basicAuth: [String] = []

    @OptionGroup var tunnel: QuickTunnelOptions

    func run() async throws {
        let service = try QuickOrigin.web(self.origin)
        var access = try self.tunnel.access()
        access.logins = try self.logins()
        try await self.tunnel.run(
            service,
            access: access,
            at: .hostname(self.hostname, isKept: self.isKept)
        )
    }

    /// Who may visit.
    ///
    /// - Throws: `Failure`, which does not repeat a password.
    private func logins() throws -> [BasicLogin] {
        var sources = self.basicAuth.map { ("--basic-auth", $0) }
        if let text = ProcessInfo.processInfo.environment["CULVERT_BASIC_AUTH"], !text.isEmpty {
            sources.append(("CULVERT_BASIC_AUTH", text))
        }
        return try sources.map { source, text in
            do {
                return try BasicLogin(text)
            } catch {
                throw Failure("\(source) \(error).", .usage)
            }
        }
    }
}
