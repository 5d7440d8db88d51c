internal import ConfigurationFile
package import ControlAPI

/// What happens to a tunnel, for people to watch.
package enum EventText {
    /// One line, without control characters, whatever a visitor has written into his request.
    package static func line(_ event: EventDocument, _ time: LocalTime) -> String {
        let words =
            event.request.map { Self.words($0) }
            ?? [
                event.connector.map { "connector \($0)" } ?? "", event.kind, event.detail ?? "",
            ]
        let line = ([time.second(event.at)] + words.filter { !$0.isEmpty })
        return printable(line.joined(separator: "  "))
    }

    private static func words(_ request: EventDocument.RequestDocument) -> [String] {
        [
            request.status == 0 ? "---" : "\(request.status)",
            "\(request.method) \(request.host)\(request.path == "*" ? "" : request.path)",
            "\(request.milliseconds) ms", request.address, request.error ?? "",
        ]
    }
}
