internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The pages of the control host: where somebody who was invited comes in, and where devices are let in.
///
/// A browser is logged in by a cookie that no script sees and no other site's request carries
/// (`__Host-`, `HttpOnly`, `SameSite=Strict`); the API does not take it. Forms of other sites are refused by
/// their `Origin`, besides.
struct PageRoutes {
    let desk: ControlDesk

    private static let cookieName = "__Host-culvert"

    func add(to router: Router<ControlContext>) {
        router.get("/") { _, _ in self.front.response() }
        router.get("enrol") { _, _ in self.enrolPage(problem: nil).response() }
        router.post("enrol") { request, context in try await self.enrol(request, context) }
        router.get("device") { request, _ in try await self.device(request) }
        router.post("device") { request, context in try await self.decide(request, context) }
    }

    private var front: HTMLPage {
        let url = self.desk.settings.controlURL
        return HTMLPage(
            title: "A Culvert edge",
            body: """
                <p>It carries requests to services behind firewalls. To make one of yours reachable:</p>
                <p><code>culvert login \(url)</code></p>
                <p><code>culvert http 3000</code></p>
                <p>Accounts are by invitation of whoever runs this edge.</p>
                """
        )
    }

    // MARK: Coming in

    private func enrolPage(problem: String?) -> HTMLPage {
        HTMLPage(
            title: "You are invited",
            body: """
                \(Self.problem(problem))
                <p>The code from your invitation logs this browser in, once. To log a terminal in, run
                <code>culvert login \(self.desk.settings.controlURL)</code> there afterwards.</p>
                <form method="post" action="/enrol">
                <label for="code">Enrolment code</label>
                <input type="text" id="code" name="code" autocomplete="off" spellcheck="false" required>
                <button>Log in</button>
                </form>
                """,
            script: """
                const code=decodeURIComponent(location.hash.slice(1));\
                if(code){document.getElementById("code").value=code;\
                history.replaceState(null,"",location.pathname)}
                """
        )
    }

    private func enrol(_ request: Request, _ context: ControlContext) async throws -> Response {
        let form = try await self.form(request, context)
        do throws(APIProblem) {
            let agent = request.headers[.userAgent] ?? ""
            let label = "browser: \(agent.unicodeScalars.filter { $0.value >= 0x20 }.prefix(60))"
            let login = try await self.desk.enrol(
                form["code"] ?? "",
                label: String(label.prefix(80))
            )
            let page = HTMLPage(
                title: "Welcome, \(login.account.name)",
                body: """
                    <p>This browser is logged in. Now, in a terminal:</p>
                    <p><code>culvert login \(self.desk.settings.controlURL)</code></p>
                    <p>It shows a short code, which you enter <a href="/device">here</a>.</p>
                    """
            )
            return page.response(cookie: Self.cookie(login.token))
        } catch {
            return self.enrolPage(problem: error.detail).response(status: .init(code: error.status))
        }
    }

    // MARK: Letting devices in

    private func device(_ request: Request) async throws -> Response {
        let code = request.uri.queryParameters["code"].map { UserCode.canonical(String($0)) } ?? ""
        guard let identity = await self.identity(request) else {
            return self.devicePage(code: code, name: nil, problem: nil).response()
        }
        guard code.count == 8,
            let device = await self.desk.devices.device(code, now: self.desk.now())
        else {
            let problem = code.isEmpty ? nil : APIProblem.noDevice.detail
            return self.devicePage(code: code, name: identity.account.name, problem: problem)
                .response()
        }
        let page = HTMLPage(
            title: "Let this device in?",
            body: """
                <p><strong>\(device.label)</strong>, at \(device.address), wants to log in as
                <strong>\(identity.account.name)</strong>. It shows the code
                <code>\(UserCode.shown(code))</code>.</p>
                <p>Say yes only if you have just run <code>culvert login</code> there, and it shows this code.</p>
                <form method="post" action="/device">
                <input type="hidden" name="code" value="\(code)">
                <button name="answer" value="yes">Let it in</button>
                <button name="answer" value="no" class="other">Turn it away</button>
                </form>
                """
        )
        return page.response()
    }

    /// The page that asks for a device's code, and for an enrolment code where nobody is logged in.
    private func devicePage(code: String, name: String?, problem: String?) -> HTMLPage {
        let shown = code.count == 8 ? UserCode.shown(code) : code
        let who: HTMLPage.Markup =
            if let name {
                "<p>You are logged in as <strong>\(name)</strong>.</p>"
            } else {
                """
                <p>This browser is not logged in. If you have an invitation, its enrolment code lets
                the device in; otherwise run <code>culvert login --approve CODE</code> where you are logged
                in, or ask for another invitation.</p>
                <label for="enrolment">Enrolment code</label>
                <input type="text" id="enrolment" name="enrolment" autocomplete="off" spellcheck="false">
                """
            }
        return HTMLPage(
            title: "Log a device in",
            body: """
                \(Self.problem(problem))
                <form method="\(name == nil ? "post" : "get")" action="/device">
                <label for="code">The code that the device shows</label>
                <input type="text" id="code" name="code" value="\(shown)" autocomplete="off"
                spellcheck="false" required>
                \(who)
                <button>Go on</button>
                </form>
                """
        )
    }

    private func decide(_ request: Request, _ context: ControlContext) async throws -> Response {
        let form = try await self.form(request, context)
        let code = UserCode.canonical(form["code"] ?? "")
        guard let identity = await self.identity(request) else {
            return try await self.enrolFirst(code, enrolment: form["enrolment"] ?? "")
        }
        let isApproved = form["answer"] == "yes"
        let isKnown = await self.desk.devices.decide(
            code,
            account: isApproved ? identity.account.id : nil,
            now: self.desk.now()
        )
        guard isKnown else {
            return self.devicePage(
                code: code,
                name: identity.account.name,
                problem: APIProblem.noDevice.detail
            ).response(status: .notFound)
        }
        let page = HTMLPage(
            title: isApproved ? "The device is in" : "The device was turned away",
            body: isApproved
                ? "<p>Look at its terminal: it goes on in a moment. You can close this page.</p>"
                : "<p>Nothing was changed. You can close this page.</p>"
        )
        return page.response()
    }

    /// Somebody without a cookie, but perhaps with an enrolment code: logged in, he is asked about the
    /// device next.
    private func enrolFirst(_ code: String, enrolment: String) async throws -> Response {
        do throws(APIProblem) {
            let login = try await self.desk.enrol(enrolment, label: "browser")
            return Response(
                status: .seeOther,
                headers: [
                    .location: "/device?code=\(code)", .setCookie: Self.cookie(login.token),
                ]
            )
        } catch {
            return self.devicePage(code: code, name: nil, problem: error.detail)
                .response(status: .init(code: error.status))
        }
    }

    // MARK: Forms and cookies

    /// The fields of a form of this site.
    ///
    /// - Throws: `forbidden` for one of another site, or without TLS.
    private func form(
        _ request: Request,
        _ context: ControlContext
    ) async throws -> [String: String] {
        guard context.isSecure else {
            throw APIProblem(.forbidden, "this page works over https only")
        }
        // Browsers say where a form is from; what says nothing is no browser and has no cookie.
        if let origin = request.headers[.origin], origin != self.desk.settings.controlURL {
            throw APIProblem(.forbidden, "this form is not from this edge")
        }
        let body = try await request.body.collect(upTo: 16 << 10)
        let text = String(buffer: body)
        return text.split(separator: "&").reduce(into: [:]) { fields, pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? parts[1].replacing("+", with: " ") : ""
            fields[String(parts[0])] = value.removingPercentEncoding
        }
    }

    private func identity(_ request: Request) async -> ControlContext.Identity? {
        for field in request.headers[values: .cookie] {
            for pair in field.split(separator: ";") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, String(parts[0]).trimmed == Self.cookieName else {
                    continue
                }
                return await self.desk.identity(of: String(parts[1]).trimmed)
            }
        }
        return nil
    }

    /// For a year: the session ends at the edge when it is revoked.
    private static func cookie(_ token: String) -> String {
        "\(self.cookieName)=\(token); Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=31536000"
    }

    private static func problem(_ words: String?) -> HTMLPage.Markup {
        words.map { "<p class=\"problem\">\($0)</p>" } ?? ""
    }
}
