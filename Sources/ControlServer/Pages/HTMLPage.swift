internal import Crypto
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A page of the control host: a heading, what it says, perhaps a form.
struct HTMLPage {
    /// Text that stands in a page.
    ///
    /// Interpolated values are escaped; only literals are markup.
    struct Markup: ExpressibleByStringInterpolation {
        private(set) var text: String

        init(stringLiteral value: String) { self.text = value }

        init(stringInterpolation: StringInterpolation) { self.text = stringInterpolation.text }

        struct StringInterpolation: StringInterpolationProtocol {
            fileprivate var text = ""

            init(literalCapacity: Int, interpolationCount: Int) {
                self.text.reserveCapacity(literalCapacity * 2)
            }

            mutating func appendLiteral(_ literal: String) { self.text += literal }

            mutating func appendInterpolation(_ value: String) {
                for character in value.unicodeScalars {
                    switch character {
                    case "&": self.text += "&amp;"
                    case "<": self.text += "&lt;"
                    case ">": self.text += "&gt;"
                    case "\"": self.text += "&quot;"
                    case "'": self.text += "&#39;"
                    default: self.text.unicodeScalars.append(character)
                    }
                }
            }

            mutating func appendInterpolation(_ markup: Markup) { self.text += markup.text }
        }
    }

    var title: String
    var body: Markup
    /// A script that the page runs, from this file and nowhere else.
    var script: String?

    /// As an answer.
    func response(
        status: HTTPResponse.Status = .ok,
        cookie: String? = nil
    ) -> Response {
        var fields: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .contentSecurityPolicy: self.policy,
        ]
        if let cookie { fields[.setCookie] = cookie }
        return Response(
            status: status,
            headers: fields,
            body: .init(byteBuffer: ByteBuffer(string: self.text))
        )
    }

    private var policy: String {
        let scripts = self.script.map { "'sha256-\(Self.hash($0))'" } ?? "'none'"
        return
            "default-src 'none'; style-src 'sha256-\(Self.hash(Self.style))'; script-src \(scripts); "
            + "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    }

    private static func hash(_ text: String) -> String {
        Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString()
    }

    private var text: String {
        let script = self.script.map { "<script>\($0)</script>" } ?? ""
        let markup: Markup = """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(self.title) · Culvert</title>
            <style>\(Markup(stringLiteral: Self.style))</style>
            <main>
            <h1>\(self.title)</h1>
            \(self.body)
            </main>
            \(Markup(stringLiteral: script))

            """
        return markup.text
    }

    private static let style = """
        :root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
        body{margin:0;background:Canvas;color:CanvasText}\
        main{max-width:34rem;margin:12vh auto;padding:0 1.25rem}\
        h1{font-size:1.5rem;font-weight:600;margin:0 0 1rem}\
        label{display:block;margin:1rem 0 .25rem}\
        input[type=text]{font:1.1rem ui-monospace,monospace;width:100%;box-sizing:border-box;\
        padding:.5rem .6rem;border:1px solid GrayText;border-radius:.4rem;background:Field;color:FieldText}\
        button{font:inherit;margin:1.25rem .5rem 0 0;padding:.5rem 1.1rem;border-radius:.4rem;\
        border:1px solid #1a6fb0;background:#1a6fb0;color:#fff;cursor:pointer}\
        button.other{background:transparent;color:inherit;border-color:GrayText}\
        code{font:.95em ui-monospace,monospace;overflow-wrap:anywhere}\
        .problem{border-left:.25rem solid #c0392b;padding:.25rem 0 .25rem .75rem}
        """
}
