import Foundation

/// The browser of whoever sits at this machine, if there is one.
enum Browser {
    /// Shows a page of an edge's; does nothing without a screen, or without `xdg-open`.
    static func open(_ url: String) {
        let environment = ProcessInfo.processInfo.environment
        let hasScreen = ["DISPLAY", "WAYLAND_DISPLAY"].contains {
            environment[$0]?.isEmpty == false
        }
        // The URL is the edge's word: it is to be a page, and neither a file nor an option.
        guard hasScreen, url.hasPrefix("https://") else { return }
        ChildProgram.start("xdg-open", [url])
    }
}
