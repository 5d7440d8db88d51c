import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertConnector
import Foundation

/// `culvert tunnel config`: the ingress that the edge keeps for a tunnel.
struct TunnelConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show and change the ingress that the edge keeps for a tunnel's connectors.",
        discussion: """
            The text is as in config.yml, with `ingress` and `originRequest` only. It is checked here \
            before the edge gets it.
            """,
        subcommands: [GetCommand.self, SetCommand.self, EditCommand.self]
    )

    struct GetCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "get",
            abstract: "Print the tunnel's ingress as it is at the edge."
        )

        @OptionGroup var tunnel: TunnelArgument
        @OptionGroup var output: OutputOption

        func run() async throws {
            let kept = try await LoggedIn().withClient {
                try await $0.remoteConfiguration(of: self.tunnel.name)
            }
            guard self.output.output == .text else { return try self.output.show(kept) { _ in "" } }
            note("Version \(kept.version).")
            print(kept.text, terminator: kept.text.hasSuffix("\n") ? "" : "\n")
        }
    }

    struct SetCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Give the tunnel another ingress."
        )

        @OptionGroup var tunnel: TunnelArgument

        @Argument(help: "The file with it; - is standard input.")
        var file: String

        @Option(
            help:
                "The version that it replaces, 0 for none: refused if the edge has another by now."
        )
        var version: Int?

        @OptionGroup var output: OutputOption

        func run() async throws {
            let text = try RemoteText.read(self.file)
            try RemoteText.check(text, file: self.file == "-" ? "standard input" : self.file)
            let kept = try await LoggedIn().withClient { client in
                var version = self.version
                if version == nil {
                    version = try await client.currentConfiguration(of: self.tunnel.name).version
                }
                return try await client.configure(
                    self.tunnel.name,
                    ConfigurationDocument(version: version ?? 0, text: text)
                )
            }
            try self.output.show(kept) { _ in "The edge has it as version \(kept.version)." }
        }
    }

    struct EditCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "edit",
            abstract: "Change the tunnel's ingress with $VISUAL or $EDITOR."
        )

        @OptionGroup var tunnel: TunnelArgument
        @OptionGroup var output: OutputOption

        func run() async throws {
            let session = try LoggedIn()
            try await session.withClient { client in
                let before = try await client.currentConfiguration(of: self.tunnel.name)
                let edited = try EditedText(before.text.isEmpty ? Self.example : before.text)
                defer { edited.remove() }
                let text = try edited.edit { try RemoteText.check($0, file: edited.file) }
                guard let text, text != before.text else {
                    note("Nothing was changed.")
                    return
                }
                do {
                    let document = ConfigurationDocument(version: before.version, text: text)
                    let kept = try await client.configure(self.tunnel.name, document)
                    try self.output.show(kept) { _ in "The edge has it as version \(kept.version)."
                    }
                } catch {
                    edited.keep()
                    throw error
                }
            }
        }

        private static let example = """
            # Where requests go: the first rule that takes one has it.
            ingress:
              # - hostname: app.example.com
              #   service: http://localhost:3000
              - service: http_status:404

            """
    }
}

extension ControlClient {
    /// The tunnel's remote configuration; version 0, and no text, when there is none yet.
    fileprivate func currentConfiguration(
        of tunnel: String
    ) async throws(ControlClientError) -> ConfigurationDocument {
        do {
            return try await self.remoteConfiguration(of: tunnel)
        } catch {
            guard error.isUnknown else { throw error }
            // Or there is no such tunnel, which is an error after all.
            _ = try await self.tunnel(tunnel)
            return ConfigurationDocument(version: 0, text: "")
        }
    }
}

/// The text of a remote configuration, on its way to the edge.
private enum RemoteText {
    static func read(_ file: String) throws -> String {
        do {
            return try ConfigurationReader.text(ofFile: file == "-" ? "/dev/stdin" : file)
        } catch {
            throw Failure("\(error)", .badFile)
        }
    }

    /// - Throws: `Failure` with all that is wrong with it, a problem a line.
    static func check(_ text: String, file: String) throws {
        let reader = ConfigurationReader(file: file)
        do {
            _ = try RemoteIngress.parse(text, reader: reader)
        } catch {
            throw Failure("\(error)", .badFile)
        }
        for notice in reader.notices { note("\(notice)") }
    }
}
