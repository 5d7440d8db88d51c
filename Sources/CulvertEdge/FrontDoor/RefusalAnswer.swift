/// What is written, before closing, to a client that does not speak TLS here.
enum RefusalAnswer {
    /// For plain HTTP on the TLS port.
    static let plainHTTP: [UInt8] = {
        let page = """
            <!doctype html><html lang="en"><title>This port speaks HTTPS</title>
            <h1>This port speaks HTTPS</h1>
            <p>The request came without encryption. Put <code>https://</code> in front of the address \
            and try again.</p></html>

            """
        let head = [
            "HTTP/1.1 400 Bad Request",
            "Content-Type: text/html; charset=utf-8",
            "Content-Length: \(page.utf8.count)",
            "Cache-Control: no-store",
            "Connection: close",
            "Culvert-Error: https-expected",
        ]
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n" + page).utf8)
    }()

    /// A fatal `decode_error` alert (RFC 8446 §6.2) in a record of TLS 1.0, which every client reads.
    static let decodeError: [UInt8] = [21, 3, 1, 0, 2, 2, 50]
}
