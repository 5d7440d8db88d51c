package import Foundation

extension Data {
    /// Base64 that can stand in a URL (RFC 4648 §5), without padding.
    package var base64URL: String {
        self.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }

    /// Reads what ``base64URL`` is; nil for anything else, base64 of RFC 4648 §4 included.
    package init?(base64URL text: some StringProtocol) {
        guard !text.utf8.contains(where: { "+/=".utf8.contains($0) }) else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/") + padding
        self.init(base64Encoded: plain)
    }
}
