import ArgumentParser
import ConfigurationFile
import CulvertConnector
import CulvertEdge
import Foundation

/// `culvert service install`.
struct ServiceInstallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Install a systemd service that runs a connector, or with --edge an edge.",
        discussion: """
            The service runs as a user that exists only while it does, sees the machine's files but \
            cannot change them, and sees no home folders. Its unit is \
            /etc/systemd/system/culvert-NAME.service; the token goes to /etc/culvert/NAME.token, which \
            only root can read: systemd hands it over. So it does with --cred-file. Other files, such \
            as --config and the edge's certificates, are read where they are; those that not everybody \
            may read have to be of a group that may.

            A service runs one tunnel; --name tells several apart.

            A token on the command line is seen by everybody on the machine for a moment: \
            $CULVERT_TOKEN and --token-file (- is standard input) keep it out of `ps`.

            An edge's `store:` is /var/lib/culvert/edge.db (for --name NAME /var/lib/culvert-NAME/…); \
            that folder is made. It may listen on ports below 1024. culvert-NAME.socket holds the ports \
            of its `listen`, so that visitors wait while it restarts and none is refused; install again \
            with --force when they change. `systemctl stop culvert-NAME.socket` stops both.

            Examples:
              culvert service install cvt_… --url http://localhost:3000
              culvert service install --token-file - --name shop --config /etc/culvert/shop.yml
              culvert service install --edge --config /etc/culvert/edge.yml
            """
    )

    @Argument(help: "The tunnel's token, cvt_…, of `culvert tunnel token`.")
    var token: String?

    @Flag(help: "Install an edge.")
    var edge = false

    @Option(help: "What to tell services apart by. Default: connector, or edge.")
    var name: ServiceName?

    @Option(
        name: .customLong("config"),
        help: "The configuration file. Default: none, or for an edge /etc/culvert/edge.yml."
    )
    var configs: [String] = []

    @Option(help: "The one service to send every request to, such as http://localhost:3000.")
    var url: String?

    @OptionGroup var source: ConnectorSource

    @Option(help: "The program that the service runs. Default: this one.")
    var program: String?

    @Flag(help: "Replace a service of that name.")
    var force = false

    @Flag(help: "Write the files only; systemd is not told.")
    var noStart = false

    @OptionGroup var place: ServicePlace

    func validate() throws {
        let ofConnector = [
            self.token, self.url, self.source.token, self.source.tokenFile.first,
            self.source.credentialsFile, self.source.caFile, self.source.edgeAddress,
        ]
        guard !self.edge || ofConnector.allSatisfy({ $0 == nil }) else {
            throw ValidationError("--edge takes --config only: the rest is a connector's.")
        }
        let key = [
            self.token, self.source.token, self.source.tokenFile.first, self.source.credentialsFile,
        ]
        guard key.count(where: { $0 != nil }) <= 1 else {
            throw ValidationError(
                "TOKEN, --token, --token-file and --cred-file exclude each other."
            )
        }
        guard self.configs.count <= 1, self.source.tokenFile.count <= 1 else {
            throw ValidationError(
                "A service runs one tunnel: install another for the next one, with --name NAME."
            )
        }
    }

    mutating func run() throws {
        if let token { self.source.token = token }
        let files = ServiceFiles(
            root: self.place.root,
            name: self.name ?? (self.edge ? .edge : .connector)
        )
        let starts = files.isHere && !self.noStart
        if starts {
            let alternative =
                self.edge
                ? "culvert edge run --config \(self.edgeFile)"
                : "CULVERT_TOKEN=cvt_… culvert tunnel run --url http://localhost:3000"
            try Systemd.require(orRun: alternative)
        }
        if !self.force, let file = files.existing.first {
            throw Failure(
                "\(file) exists already. --force replaces that service; --name NAME installs another."
            )
        }
        let plan = try ServicePlan(self, files)
        try files.write(plan.unit, token: plan.token, replacing: self.force)
        for notice in plan.notices { note(notice) }
        guard starts else { return note("Wrote \(files.existing.joined(separator: ", ")).") }
        let status = try Systemd.start(files.name)
        note("\(files.name.unit) runs, now and at each boot: \(status)")
        note("Its log: journalctl -u \(files.name.unit)")
    }

    /// The configuration file that was named, if one was.
    var config: String? { self.configs.first }

    /// The edge's configuration file.
    var edgeFile: String { self.config.map(absolutePath) ?? "/etc/culvert/edge.yml" }
}

/// A path as a service, whose folder is another, is told it.
func absolutePath(_ path: String) -> String {
    URL(fileURLWithPath: homeExpanded(path)).standardizedFileURL.path
}
