import ArgumentParser
import ConfigurationFile
import CulvertDiagnostics
import Foundation

/// `culvert tunnel diag`.
struct TunnelDiagCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diag",
        abstract: "Gather what a maintainer would ask for in a zip, without secrets.",
        discussion: """
            Versions, the configuration and what is wrong with it, the way to the edge step by step, the \
            tunnel as the edge has it, the running connector's metrics, limits, proxies and the service's \
            log. Keys and credentials are not in it; tokens, passwords and logins of URLs are replaced by \
            ***. What cannot be had says why in its file. Look through it before you give it away: \
            hostnames, addresses and paths are in it.

            Say the same options as to `culvert tunnel run`, of one tunnel.
            """
    )

    @Argument(help: "The tunnel's name or id, if neither the file nor a token says it.")
    var name: String?

    @OptionGroup var configFile: ConnectorFileOption
    @OptionGroup var source: ConnectorSource

    @Option(help: "Whose log is looked at: the service of `culvert service install --name`.")
    var service = ServiceName.connector

    @Option(
        name: .shortAndLong,
        help: "The zip to write, with mode 0600. Default: culvert-diag-TIME.zip in this folder."
    )
    var output: String?

    func run() async throws {
        let moment = Date()
        let file = self.output ?? Self.fileName(moment)
        var diagnosis = Diagnosis(self)
        await diagnosis.gather()
        let bytes: [UInt8]
        do {
            bytes = try diagnosis.archive(moment)
            // The directory of a file that cannot be written is looked at late: what was gathered is shown.
            try PrivateFile.write(Data(bytes), to: file, replacing: self.output != nil)
        } catch {
            throw Failure("\(error)")
        }
        note("Secrets are masked; look through it before you give it away.")
        print(file)
    }

    private static func fileName(_ moment: Date) -> String {
        let time = moment.formatted(.iso8601.timeSeparator(.omitted).dateSeparator(.dash))
        return "culvert-diag-\(time).zip"
    }
}
