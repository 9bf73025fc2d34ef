/** What lies in a state folder. */
export const folderNames = { masterKey: 'master.key', keyTable: 'keys.db', objects: 'objects' } as const;
