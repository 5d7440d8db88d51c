import ArgumentParser

/// `culvert tcp`: one TCP service, one port of the edge, at once.
struct TCPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tcp",
        abstract: "Make a local TCP service reachable at a port of an edge, at once.",
        discussion: """
            Prints tcp://EDGE:PORT, alone on a line, once visitors can reach it, and stays up until \
            Ctrl-C. The edge has to give ports (`tcp-ports` in its configuration). Bytes are carried as \
            they are: what is not encrypted by itself, as ssh is, can be read between visitor and edge. A \
            connection that is cut between edge and connector goes on.

            For a service behind a hostname and TLS instead, see `culvert access`.

            Examples:
              culvert tcp 22
              culvert tcp 22 --port 20022 --cidr-allow 203.0.113.0/24
              culvert tcp db.internal:5432
            """
    )

    @Argument(help: "22, HOST:PORT or tcp://HOST:PORT.")
    var origin: String

    @Option(help: "The port of the edge; one that is free when not given.")
    var port: Int?

    @OptionGroup var tunnel: QuickTunnelOptions

    func validate() throws {
        guard let port, !(1...65_535).contains(port) else { return }
        throw ValidationError("--port is from 1 to 65535.")
    }

    func run() async throws {
        let service = try QuickOrigin.carried(self.origin)
        try await self.tunnel.run(
            service,
            access: self.tunnel.access(),
            at: .tcpPort(self.port ?? 0)
        )
    }
}
