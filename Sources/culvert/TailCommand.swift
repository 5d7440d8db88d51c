import ArgumentParser
import ControlAPI
import ControlClient
import Foundation

/// `culvert tail`: what happens to a tunnel, as it happens.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Show what happens to a tunnel, as it happens: requests, and its connectors.",
        discussion: """
            A line for each request that is over, as the edge saw it, and for each connector that comes, \
            goes, loses its link, or takes over another configuration; until Ctrl-C. When the edge is away it \
            is asked again until it is back; what happened meanwhile is not shown.

            Examples:
              culvert tail web
              culvert tail web --output json | jq 'select(.request.status >= 500)'
            """
    )

    private static let longestWait = 30

    @OptionGroup var tunnel: TunnelArgument

    @Option(name: .shortAndLong, help: "text for people, or json: an object a line.")
    var output = OutputFormat.text

    func run() async throws {
        let session = try LoggedIn()
        let time = LocalTime()
        var wait = 1
        while true {
            do {
                try await session.withClient { client in
                    try await client.events(of: self.tunnel.name) {
                        wait = 1
                        note("Watching \(self.tunnel.name); Ctrl-C ends it")
                    } _: {
                        self.show($0, time)
                    }
                }
                note("The edge has ended it; asking again")
            } catch let error as ControlClientError {
                guard case .unreachable = error else { throw error }
                note("\(error) Asking again in \(wait) s")
            }
            try await Task.sleep(for: .seconds(wait))
            wait = min(wait * 2, Self.longestWait)
        }
    }

    private func show(_ event: EventDocument, _ time: LocalTime) {
        switch self.output {
        case .text: print(EventText.line(event, time))
        case .json:
            guard let data = try? APICoding.encoder.encode(event) else { return }
            print(String(decoding: data, as: UTF8.self))
        }
        flushStandardOutput()
    }
}
