import HTTP2Wire
import HTTPSemantics
import NIOCore

/// The one place that turns a failure into an answer: HTML, JSON or text, as the visitor accepts.
enum ErrorPage {
    /// Renders a failure.
    ///
    /// - Parameters:
    ///   - failure: What to say.
    ///   - accept: The request's `Accept` values; `text/html` gets HTML, `application/json` (or a
    ///     `+json` type) JSON, anything else text.
    ///   - requestID: Echoed, for the visitor to quote; nil for none.
    /// - Returns: The answer, whole.
    static func render(
        _ failure: EdgeFailure,
        accept: String,
        requestID: String?
    ) -> (head: ResponseHead, body: ByteBuffer) {
        let (type, text) = self.body(failure, accept: accept, requestID: requestID)
        let body = ByteBuffer(string: text)
        var fields = HTTPFields()
        fields.reserveCapacity(8)
        fields.append("Content-Type", type)
        fields.append("Content-Length", String(body.readableBytes))
        fields.append("Cache-Control", "no-store")
        fields.append("Vary", "Accept")
        fields.append("Culvert-Error", failure.code)
        if let seconds = failure.retryAfterSeconds {
            fields.append("Retry-After", String(seconds))
        }
        if failure.status == 405 { fields.append("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS") }
        if let requestID { fields.append("X-Request-Id", requestID) }
        let reason = self.reason(failure.status)
        return (ResponseHead(status: failure.status, reason: reason, fields: fields), body)
    }

    /// The same for a call of gRPC, whose client shows its user no body.
    ///
    /// - Parameters:
    ///   - failure: What to say: its title and explanation are gRPC's message.
    ///   - contentType: Of the call.
    ///   - requestID: Echoed, for the visitor to quote.
    /// - Returns: The answer, a head alone.
    static func call(
        _ failure: EdgeFailure,
        contentType: String,
        requestID: String
    ) -> ResponseHead {
        var head = GRPCAnswer.head(
            insteadOf: failure.status,
            message: "\(failure.title): \(failure.explanation)",
            contentType: contentType
        )
        head.fields.append("Culvert-Error", failure.code)
        head.fields.append("X-Request-Id", requestID)
        return head
    }

    private static func body(
        _ failure: EdgeFailure,
        accept: String,
        requestID: String?
    ) -> (type: String, text: String) {
        switch Self.preference(accept) {
        case .html: return ("text/html; charset=utf-8", self.html(failure, requestID: requestID))
        case .json: return ("application/json", self.json(failure, requestID: requestID))
        case .text: break
        }
        var text =
            "\(failure.status) \(failure.title)\n\n\(failure.explanation)\n\(failure.advice)\n"
        text += "\nCulvert-Error: \(failure.code)\n"
        if let requestID { text += "Request: \(requestID)\n" }
        return ("text/plain; charset=utf-8", text)
    }

    private enum Format { case text, html, json }

    /// What of the three `Accept` likes best (RFC 9110 §12.5.1): named with the highest weight, and of
    /// equals the one named first. Text for who names none, and for `*/*`.
    private static func preference(_ accept: String) -> Format {
        var best: (format: Format, weight: Double) = (.text, 0)
        for element in FieldListElements(accept) {
            let parts = String(Substring(element)).lowercased().split(separator: ";").map {
                $0.trimmingPrefix { $0 == " " }
            }
            guard let type = parts.first else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }
            let value = weight.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            let format: Format? =
                switch type {
                case "text/html", "application/xhtml+xml": .html
                case "application/json": .json
                case "text/plain": .text
                default: type.hasSuffix("+json") ? .json : nil
                }
            if let format, value > best.weight { best = (format, value) }
        }
        return best.format
    }

    private static func html(_ failure: EdgeFailure, requestID: String?) -> String {
        let request = requestID.map { " · request <code>\(self.escapedHTML($0))</code>" } ?? ""
        return """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width,initial-scale=1">
            <meta name="robots" content="noindex">
            <title>\(failure.status) · \(self.escapedHTML(failure.title))</title>
            <style>
            :root{color-scheme:light dark}
            body{font:1rem/1.6 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center}
            main{max-width:34rem;padding:2rem}
            h1{font-size:1.5rem;line-height:1.3;margin:.2rem 0 1rem}
            b{font-size:.9rem;letter-spacing:.08em;opacity:.6}
            footer{margin-top:2rem;font-size:.85rem;opacity:.6}
            </style>
            <main>
            <b>\(failure.status)</b>
            <h1>\(self.escapedHTML(failure.title))</h1>
            <p>\(self.escapedHTML(failure.explanation))</p>
            <p>\(self.escapedHTML(failure.advice))</p>
            <footer>Culvert · <code>\(self.escapedHTML(failure.code))</code>\(request)</footer>
            </main>
            </html>

            """
    }

    private static func json(_ failure: EdgeFailure, requestID: String?) -> String {
        var text = "{\"error\":\(self.quotedJSON(failure.code)),\"status\":\(failure.status)"
        text += ",\"title\":\(self.quotedJSON(failure.title))"
        text += ",\"detail\":\(self.quotedJSON(failure.explanation))"
        text += ",\"advice\":\(self.quotedJSON(failure.advice))"
        if let seconds = failure.retryAfterSeconds { text += ",\"retryAfterSeconds\":\(seconds)" }
        if let requestID { text += ",\"requestId\":\(self.quotedJSON(requestID))" }
        return text + "}\n"
    }

    static func escapedHTML(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    static func quotedJSON(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\u{0}"..<"\u{20}":
                let digits = String(character.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }

    /// The reason phrases of the statuses the edge sends itself (RFC 9110 §15).
    private static func reason(_ status: UInt16) -> String {
        switch status {
        case 400: "Bad Request"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 508: "Loop Detected"
        default: "Error"
        }
    }
}
