import Foundation
import Testing

@testable import CulvertDiagnostics

@Suite struct SecretMaskTests {
    @Test(
        arguments: [
            ("--token cvt_abc-DEF_9 run", "--token *** run"),
            ("refused cvt_abc-DEF_9.", "refused cvt_***."),
            ("--token=plain run", "--token=*** run"), ("--token plain run", "--token *** run"),
            ("--token-file /etc/t run", "--token-file /etc/t run"),
            ("CULVERT_TOKEN=x y", "CULVERT_TOKEN=*** y"),
            ("https_proxy=http://me:pa/s@s@proxy:3128/", "https_proxy=http://***@proxy:3128/"),
            (
                "see https://me@host/ and http://host:80/@scope",
                "see https://***@host/ and "
                    + "http://host:80/@scope"
            ),
            ("Authorization: Bearer abcdefghijklmnop.q", "Authorization: *** ***"),
            ("a token eyJhIjoiYiIsInQiOiJjIn0x.", "a token ***"),
            (#"{"private_key": "a\"b", "name": "n"}"#, #"{"private_key": ***, "name": "n"}"#),
            (
                #"key "x" { algorithm y; secret "AbC="; };"#,
                #"key "x" { algorithm y; secret "***"; };"#
            ),
            (
                "a\n-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\nb",
                "a\n***\nb"
            ),
            ("-----BEGIN PRIVATE KEY-----\nAAAA", "***"),
            ("GET /x?access_token=abc&y=1", "GET /x?access_token=***&y=1"),
            (
                "public-key: abc, credentials-file: demo.json",
                "public-key: abc, credentials-file: "
                    + "demo.json"
            ),
            ("the edge refuses: no such tunnel", "the edge refuses: no such tunnel"),
        ]
    )
    func lookalikesGo(text: String, expected: String) {
        let masked = SecretMask().masked(text)
        // A header's line may lose its scheme, too.
        #expect(
            masked == expected
                || expected == "Authorization: *** ***" && !masked.contains("abcdef"),
            "\(masked)"
        )
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: ["a-", "--", "://a:b", "eyJ", "secret ", "\"a\\", "token=", "://@"]
    )
    func hostileLinesTakeNoLongerThanOthers(part: String) {
        let text = String(repeating: part, count: 16 << 10 / part.utf8.count)
        // That it ends is what is looked at.
        #expect(SecretMask().masked(text + "\nend").hasSuffix("end"))
    }

    @Test func whatIsLearnedGoesEverywhere() {
        var mask = SecretMask()
        mask.learn(
            json: Data(
                #"{"PrivateKey": "K3Y+/=", "TunnelName": "demo", "x": [{"Secret": "s3cr"}]}"#.utf8
            )
        )
        mask.learn(keyFile: "key \"a\" {\n\tsecret \"VFNJRw==\";\n};")
        mask.learn("abc")
        let long = String(repeating: "0123456789", count: 7)
        mask.learn(long)
        #expect(mask.masked("found \"\(long.prefix(60))…\"") == "found \"***…\"")
        #expect(mask.masked("\(long)\(long)x") == "******x")
        #expect(mask.masked(#"K3Y+\/= K3Y%2B%2F%3D K3Y-_ K3Y"#) == "*** *** *** K3Y")
        #expect(mask.masked("demo K3Y+/= s3cr VFNJRw== abc") == "demo *** *** *** abc")
    }

    @Test func configurationsKeepTheirLines() {
        let text = """
            tunnel: demo
            credentials-file: demo.json   # password: in-a-comment
            token: plain-token
            ingress:
              - hostname: a.test
                access:
                  basicAuth:
                    ann: "hunter2 space"
                    bob: *later

                  realm: shown
                service: http://u:urlpass@localhost:1
              - basicAuth:
                - carl:carlpass
                service: http://b.test
              - access: {basicAuth: {dora: dorapass,
                  eve: evepass}, realm: gone}
                service: http://c.test
              - api-key: |
                  blockpass
                service: http_status:404
            other: &later anchorpass
            """
        var mask = SecretMask()
        let masked = mask.masked(yaml: text)
        #expect(
            masked == """
                tunnel: demo
                credentials-file: demo.json   # password: ***
                token: ***
                ingress:
                  - hostname: a.test
                    access:
                      basicAuth:
                        ***
                        ***

                      realm: shown
                    service: http://***@localhost:1
                  - basicAuth:
                    ***
                    service: http://b.test
                  - access: {basicAuth: ***
                      ***
                    service: http://c.test
                  - api-key: ***
                      ***
                    service: http_status:404
                other: &later ***
                """
        )
        // What was found there is known from now on.
        let secrets = [
            "in-a-comment", "plain-token", "hunter2 space", "carlpass", "dorapass", "evepass",
            "blockpass", "anchorpass",
        ]
        for secret in secrets { #expect(mask.masked("x \(secret) y") == "x *** y") }
        #expect(mask.masked("a.test demo realm service") == "a.test demo realm service")
    }
}
