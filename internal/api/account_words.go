package api

// consentWords are what the pages of the consent say, in the languages that they speak.
var consentWords = map[string]map[string]string{
	"en": {
		"connected.title": "The account is connected", "connected.text": "Posts can go out. You can close this window.",
		"cancelled.title": "Nothing was connected", "cancelled.text": "You did not allow access at LinkedIn. If that was not what you meant, ask for another link.",
		"scope.title": "LinkedIn did not allow everything", "scope.text": "The application may not ask for what it takes to post. Whoever runs it has to add the product at LinkedIn: Share on LinkedIn for members, Community Management API for pages.",
		"link_unknown.title": "This link is not known", "link_unknown.text": "It may be incomplete, or a day old. Ask for another one.",
		"link_used.title": "This link is over", "link_used.text": "It works once, and for ten minutes. Ask for another one.",
		"browser.title": "This is not the browser that began", "browser.text": "Open the link and allow access in the same browser, with cookies allowed.",
		"other_member.title": "This is another account", "other_member.text": "You are signed in to LinkedIn as somebody else than the account that was to be connected again. Sign in there as the right member and ask for another link.",
		"code.title": "LinkedIn did not confirm", "code.text": "The permission was too old or used already. Ask for another link.",
		"settings.title": "The application is not set up", "settings.text": "LinkedIn does not know this application by the settings that it has. Whoever runs it has to look at LINKEDIN_CLIENT_ID, LINKEDIN_CLIENT_SECRET and LINKEDIN_REDIRECT_URI.",
		"unreachable.title": "LinkedIn did not answer", "unreachable.text": "Nothing was connected. Try again in a while with another link.",
		"refused.title": "LinkedIn refused", "refused.text": "Nothing was connected. Ask for another link, and tell whoever runs the application if it happens again.",
		"ours.title": "Something went wrong here", "ours.text": "Nothing was connected. The fault was recorded; ask for another link.",
		"lost":      "LinkedIn has ended earlier tokens of yours, because other permissions were asked for. Other accounts have to be connected again.",
		"simulated": "Simulated: this account exists on this machine only, and posts go nowhere.",
	},
	"fr": {
		"connected.title": "Le compte est connecté", "connected.text": "Les publications peuvent partir. Vous pouvez fermer cette fenêtre.",
		"cancelled.title": "Rien n’a été connecté", "cancelled.text": "Vous n’avez pas autorisé l’accès sur LinkedIn. Si ce n’était pas voulu, demandez un autre lien.",
		"scope.title": "LinkedIn n’a pas tout autorisé", "scope.text": "L’application n’a pas le droit de demander ce qu’il faut pour publier. La personne qui l’exploite doit ajouter le produit chez LinkedIn : Share on LinkedIn pour les membres, Community Management API pour les pages.",
		"link_unknown.title": "Ce lien est inconnu", "link_unknown.text": "Il est peut-être incomplet, ou vieux d’un jour. Demandez-en un autre.",
		"link_used.title": "Ce lien n’est plus valable", "link_used.text": "Il sert une seule fois, pendant dix minutes. Demandez-en un autre.",
		"browser.title": "Ce n’est pas le même navigateur", "browser.text": "Ouvrez le lien et autorisez l’accès dans le même navigateur, avec les témoins (cookies) permis.",
		"other_member.title": "C’est un autre compte", "other_member.text": "Vous êtes connecté à LinkedIn sous un autre nom que le compte à reconnecter. Connectez-vous avec le bon membre et demandez un autre lien.",
		"code.title": "LinkedIn n’a pas confirmé", "code.text": "L’autorisation était trop ancienne ou déjà utilisée. Demandez un autre lien.",
		"settings.title": "L’application n’est pas bien réglée", "settings.text": "LinkedIn ne reconnaît pas cette application avec ses réglages. La personne qui l’exploite doit vérifier LINKEDIN_CLIENT_ID, LINKEDIN_CLIENT_SECRET et LINKEDIN_REDIRECT_URI.",
		"unreachable.title": "LinkedIn n’a pas répondu", "unreachable.text": "Rien n’a été connecté. Réessayez plus tard avec un autre lien.",
		"refused.title": "LinkedIn a refusé", "refused.text": "Rien n’a été connecté. Demandez un autre lien, et prévenez la personne qui exploite l’application si cela se répète.",
		"ours.title": "Une erreur est survenue ici", "ours.text": "Rien n’a été connecté. L’erreur a été notée ; demandez un autre lien.",
		"lost":      "LinkedIn a mis fin à vos anciens jetons, car d’autres autorisations ont été demandées. D’autres comptes doivent être reconnectés.",
		"simulated": "Simulation : ce compte n’existe que sur cette machine, et rien n’est publié.",
	},
}
