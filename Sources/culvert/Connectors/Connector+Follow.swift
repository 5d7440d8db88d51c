import CulvertConnector
import Logging

extension Connector {
    /// Takes over the rules of a configuration file when it changes, until the task is cancelled.
    func follow(_ file: WatchedFile, _ logger: Logger) async {
        // What options have overridden is not the file's to change.
        let running = try? ConnectorConfiguration.load(file: file.path)
        await ConfigurationWatch(file: file, logger: logger).run {
            let fresh = try ConnectorConfiguration.load(file: file.path)
            let later = running.map { fresh.keysThatDiffer(from: $0) } ?? []
            // What the next start would fail of is a mistake now.
            if later.contains("credentials-file"), let file = fresh.credentialsFile {
                _ = try Credentials(file: file)
            }
            for notice in fresh.notices { logger.notice("\(notice)") }
            self.replace(fresh.ingress)
            logger.info("Read the configuration again", metadata: ["file": "\(file.path)"])
            guard !later.isEmpty else { return }
            logger.notice(
                "Some of it counts from the next start on",
                metadata: ["keys": "\(later.joined(separator: ", "))"]
            )
        }
    }
}
