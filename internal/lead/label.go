package lead

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// labels are what people call a lead's fields, and the further ones that imports and forms often bring.
var labels = map[string]Text{
	"external_id":       {EN: "External id", FR: "Identifiant externe"},
	"business_name":     {EN: "Business", FR: "Entreprise"},
	"business_type":     {EN: "Type of business", FR: "Type d'entreprise"},
	"contact_name":      {EN: "Contact", FR: "Personne-ressource"},
	"job_title":         {EN: "Job title", FR: "Fonction"},
	"email":             {EN: "E-mail", FR: "Courriel"},
	"phone":             {EN: "Phone", FR: "Téléphone"},
	"website":           {EN: "Website", FR: "Site web"},
	"linkedin_url":      {EN: "LinkedIn profile", FR: "Profil LinkedIn"},
	"address":           {EN: "Address", FR: "Adresse"},
	"city":              {EN: "City", FR: "Ville"},
	"province":          {EN: "Province", FR: "Province"},
	"postal_code":       {EN: "Postal code", FR: "Code postal"},
	"country":           {EN: "Country", FR: "Pays"},
	"google_rating":     {EN: "Google rating", FR: "Note Google"},
	"google_reviews":    {EN: "Number of Google reviews", FR: "Nombre d'avis Google"},
	"source":            {EN: "Source", FR: "Provenance"},
	"notes":             {EN: "Notes", FR: "Notes"},
	"extra.status":      {EN: "Status", FR: "Statut"},
	"extra.lead_status": {EN: "Status of the lead", FR: "Statut du prospect"},
	"extra.size":        {EN: "Number of employees", FR: "Nombre d'employés"},
	"extra.budget":      {EN: "Budget", FR: "Budget"},
	"extra.message":     {EN: "Message", FR: "Message"},
	"extra.need":        {EN: "Need", FR: "Besoin"},
	"extra.timing":      {EN: "Timing", FR: "Échéance"},
	"extra.description": {EN: "Description", FR: "Description"},
	"extra.campaign":    {EN: "Campaign", FR: "Campagne"},
}

// Label is what people call a lead's field, in French for "fr…", else in English. A further field that only its file
// knows goes by its own name, without the signs of machines.
func Label(field, language string) string {
	if known, ok := labels[field]; ok {
		return known.In(language)
	}
	name := strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(field, extraPrefix), "_", " "))
	first, size := utf8.DecodeRuneInString(name)
	if size == 0 {
		return field
	}
	return string(unicode.ToUpper(first)) + name[size:]
}
