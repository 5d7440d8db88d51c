import Foundation
import Testing

extension SystemTests {
    /// What admins see and end of other people's accounts, by commands against a real edge.
    @Suite struct AccountAdmin {
        @Test("invitations that are open are listed and withdrawn, without their codes")
        func invitations() throws {
            let deployment = try Deployment()
            let root = try Person("root", at: deployment, ["--admin"])
            let list = ["account", "invitations"]
            let none = try root.run(list)
            #expect(none.status == 0 && none.output.isEmpty, "\(none.errors)")
            let code = try Person.invite("ann", at: deployment)
            try root.ok(["account", "create", "bob"])
            let table = try root.ok(list).split(separator: "\n").map(String.init)
            try #require(table.count == 3, "\(table)")
            #expect(table[1].contains(" ann ") && table[1].contains(" operator "), "\(table)")
            #expect(table[2].contains(" bob ") && table[2].contains(" root "), "\(table)")
            #expect(!table.joined().contains("cve_"))
            let json = try root.ok(list + ["--output", "json"])
            let object = try JSONSerialization.jsonObject(with: Data(json.utf8))
            let items = (object as? [String: [[String: Any]]])?["items"]
            let id = try #require(items?.first?["id"] as? String, "\(json)")
            // By the beginning of its id; by the account.
            let withdrawn = try root.run(list + ["withdraw", String(id.prefix(8))])
            #expect(withdrawn.status == 0 && withdrawn.errors.contains("ann"))
            let again = try root.run(list + ["withdraw", id])
            #expect(again.status == 4, "\(again.errors)")
            try root.ok(list + ["withdraw", "--account", "bob"])
            #expect(try root.run(list).output.isEmpty)
            let late = try Home(deployment.directory, named: "home-ann")
            let refused = try late.run(root.loginWords, ["CULVERT_ENROLMENT=\(code)"])
            #expect(refused.status != 0 && refused.errors.contains("not good"), "\(refused.errors)")
            let audit = try root.ok(["audit", "--limit", "2"])
            #expect(audit.contains("invitation.withdraw"), "\(audit)")
            let unclear = try root.run(list + ["withdraw"])
            #expect(unclear.status == 64)
        }

        @Test("an admin sees where somebody is logged in, and ends it; members do neither")
        func sessions() throws {
            let deployment = try Deployment()
            let root = try Person("root", at: deployment, ["--admin"])
            let ann = try Person("ann", at: deployment)
            let words = ["account", "sessions", "--account", "ann"]
            let table = try root.ok(words).split(separator: "\n")
            // The session is ann's, so no star is in the list.
            #expect(table.count == 2 && !table[1].contains("*"), "\(table)")
            let id = String(table[1].prefix(36))
            for list in [
                ["account", "sessions", "--account", "root"], ["account", "invitations"],
            ] {
                let refused = try ann.run(list)
                #expect(refused.status != 0 && refused.errors.contains("only an admin"))
            }
            try ann.ok(["account"])
            let revoke = ["account", "sessions", "revoke", "--account", "ann"]
            let wrong = try root.run(["account", "sessions", "revoke", id])
            #expect(wrong.status == 4, "\(wrong.errors)")
            let ended = try root.run(revoke + [id])
            #expect(ended.status == 0 && ended.errors.contains(id), "\(ended.errors)")
            #expect(try ann.run(["account"]).status != 0)
            // All that there are, of which this machine's is none.
            let code = try Person.invite("ann", at: deployment)
            let login = try ann.run(ann.loginWords, ["CULVERT_ENROLMENT=\(code)"])
            #expect(login.status == 0, "\(login.errors)")
            try root.ok(revoke + ["--others"])
            #expect(try ann.run(["account"]).status != 0)
            try root.ok(["account"])
        }
    }
}
