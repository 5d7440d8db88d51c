import ArgumentParser
import ConfigurationFile
import CulvertConnector
import Foundation
import Logging

/// `culvert tunnel`: the connector's side.
struct TunnelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tunnel",
        abstract: "Make and run tunnels: the side next to the services.",
        subcommands: [
            TunnelCreateCommand.self, TunnelRunCommand.self, TunnelListCommand.self,
            TunnelInfoCommand.self, TunnelRouteCommand.self, TunnelTokenCommand.self,
            TunnelConfigCommand.self, TunnelCleanupCommand.self, TunnelDeleteCommand.self,
            TunnelDiagCommand.self,
            IngressCommand.self, KeygenCommand.self,
        ]
    )
}

/// Where a connector's configuration file is.
struct ConnectorFileOption: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: "The configuration file; without it the usual places are looked in."
    )
    var configs: [String] = []

    /// The file that was named, if one was.
    var config: String? { self.configs.first }

    func validate() throws {
        guard self.configs.count <= 1 else {
            throw ValidationError("This looks at one file: give one --config.")
        }
    }

    /// The file named, or the first of the usual ones that exists.
    func file() throws -> String {
        guard let file = self.fileIfAny() else { throw Self.noFile }
        return file
    }

    /// The same; nil when none is named and none of the usual ones exists.
    func fileIfAny() -> String? { self.config ?? Self.usualFile }

    /// The first of the usual files that exists; nil when none does.
    static var usualFile: String? {
        self.usualFiles.first { FileManager.default.fileExists(atPath: $0) }
    }

    /// What to say where there has to be one.
    static var noFile: Failure {
        let usual = Self.usualFiles.joined(separator: ", ")
        return Failure(
            "No configuration file: name one with --config, or put it at \(usual).",
            .usage
        )
    }

    /// Where a file is looked for, `CULVERT_HOME` taken into account.
    private static var usualFiles: [String] {
        ConnectorConfiguration.usualFiles.map { file in
            guard file.hasPrefix("~/.culvert/") else {
                return homeExpanded(file)
            }
            return ConfigurationDirectory.usual.file(String(file.dropFirst("~/.culvert/".count)))
        }
    }
}

/// `culvert tunnel keygen`.
struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make a tunnel's credentials, and print the line the edge needs."
    )

    @Argument(help: "The tunnel's name.")
    var name: String

    @Option(help: "The credentials file to write, with mode 0600; an existing one is kept.")
    var out: String?

    func validate() throws {
        // It stands in file names, in YAML and in logs.
        let isGood =
            !self.name.isEmpty && self.name.utf8.count <= 64
            && self.name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0)
                    || (0x61...0x7A).contains($0) || [0x2D, 0x2E, 0x5F].contains($0)
            } && self.name.utf8.first != 0x2D && self.name.utf8.first != 0x2E
        guard isGood else {
            throw ValidationError(
                "A tunnel's name is 1 to 64 letters, digits, '-', '_' and '.', and begins with none of "
                    + "the last three but '_'."
            )
        }
    }

    func run() throws {
        let file = self.out ?? "\(self.name).json"
        let credentials = Credentials(newFor: self.name, edge: nil)
        do {
            try credentials.write(to: file)
        } catch {
            throw Failure("\(error)")
        }
        note("Wrote \(file). It lets its holder serve the tunnel: keep it secret.")
        note("In edge.yml, under tunnels, with the hostnames it may serve:")
        print("- {name: \(self.name), \(credentials.edgeLine), hostnames: []}")
    }
}

/// `culvert tunnel ingress`.
struct IngressCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingress",
        abstract: "Check a connector's ingress rules.",
        subcommands: [ValidateCommand.self, RuleCommand.self]
    )

    struct ValidateCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "validate",
            abstract: "Say what is wrong with a configuration file, all of it at once."
        )

        @OptionGroup var configFile: ConnectorFileOption

        func run() throws { try IngressCommands.validate(file: self.configFile.file()).report() }
    }

    struct RuleCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rule",
            abstract: "Say which ingress rule a URL matches."
        )

        @Argument(help: "The URL, such as https://app.example.com/api.")
        var url: String

        @OptionGroup var configFile: ConnectorFileOption

        func run() throws {
            try IngressCommands.rule(file: self.configFile.file(), url: self.url).report()
        }
    }
}

extension IngressCommandResult {
    /// Prints the text where it belongs.
    ///
    /// - Throws: `Failure` with the text when the command failed.
    func report() throws {
        guard self.succeeded else {
            throw Failure(self.text, self.isArgumentWrong ? .usage : .badFile)
        }
        print(self.text)
    }
}
