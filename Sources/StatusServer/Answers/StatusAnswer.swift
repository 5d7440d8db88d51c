/// What a path of the status listener answers with.
package struct StatusAnswer: Sendable, Equatable {
    /// A final HTTP status, 200...599.
    package var status: Int
    /// Sent as it is, as `Content-Type`.
    package var contentType: String
    /// Sent whole, with its length.
    package var body: String

    package init(status: Int, contentType: String, body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// Plain text; a newline is added at its end.
    package static func text(_ text: String, status: Int = 200) -> StatusAnswer {
        StatusAnswer(
            status: status,
            contentType: "text/plain; charset=utf-8",
            body: text + "\n"
        )
    }

    /// The answer of `/metrics`: the text format 0.0.4 of Prometheus.
    package static func metrics(_ text: String) -> StatusAnswer {
        StatusAnswer(
            status: 200,
            contentType: "text/plain; version=0.0.4; charset=utf-8",
            body: text
        )
    }
}
