import CLibwebsockets
import Logging

/// Where libwebsockets' own lines go; its logging is process-wide.
enum TransportLog {
    private static let logger = Logger(label: "culvert.libwebsockets")

    /// Installs the route, once per process.
    static let install: Void = culvert_log_to { _, line in
        guard let line else { return }
        TransportLog.emit(String(cString: line))
    }

    /// At debug whatever libwebsockets calls it: any peer can provoke its errors.
    private static func emit(_ line: String) {
        var line = Substring(line)
        while line.last?.isNewline == true { line.removeLast() }
        self.logger.debug("libwebsockets", metadata: ["line": "\(line)"])
    }
}
