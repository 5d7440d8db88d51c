import ArgumentParser
import Foundation

/// `culvert service`: started by systemd.
struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "Have systemd run a connector or an edge, now and at each boot.",
        subcommands: [ServiceInstallCommand.self, ServiceUninstallCommand.self]
    )
}

/// Which machine a service is installed on.
struct ServicePlace: ParsableArguments {
    @Option(help: "The folder with the machine's files, for packaging; nothing is started there.")
    var root = "/"
}

/// `culvert service uninstall`.
struct ServiceUninstallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall",
        abstract: "Stop a service, and remove its units and its token.",
        discussion: "What an edge keeps, in /var/lib/culvert, stays, and so do configuration files."
    )

    @Option(help: "The service's name: lower-case letters, digits, - and _.")
    var name = ServiceName.connector

    @OptionGroup var place: ServicePlace

    func run() throws {
        let files = ServiceFiles(root: self.place.root, name: self.name)
        if files.isHere, geteuid() != 0 {
            throw Failure("Services are root's: run the same with sudo.")
        }
        guard !files.existing.isEmpty else {
            throw Failure(
                "There is no service \(self.name.unit). `systemctl list-units 'culvert-*'` lists them.",
                .notFound
            )
        }
        let hasSystemd = files.isHere && Systemd.isRunning
        if hasSystemd { Systemd.stop(self.name) }
        try files.remove()
        if hasSystemd { try Systemd.forget(self.name) }
        note("Removed \(self.name.unit).")
    }
}
